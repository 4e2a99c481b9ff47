/** What GET /info says that does not change while the server lives. */
import { signal } from "@preact/signals";
import { getJson } from "./live/api.ts";

export interface Info {
  readonly version: string;
  readonly mode: string;
  readonly node: string;
  readonly model: { readonly simulated: boolean };
}

/** Null until it came. */
export const info = signal<Info | null>(null);

/** Never throws: the page works without it. */
export async function loadInfo(): Promise<void> {
  info.value = await getJson<Info>("/info").catch(() => info.value);
}
