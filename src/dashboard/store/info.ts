/** What GET /info says that does not change while a server lives; shell/use-server-info.ts asks again when it comes back. */
import { signal } from "@preact/signals";
import { getJson } from "../live/api.ts";

export interface Info {
  readonly model: { readonly simulated: boolean };
}

const PATIENCE_MS = 3_000;

/** Null until it came. */
export const info = signal<Info | null>(null);

/** Never throws: the page works without it. */
export async function loadInfo(): Promise<void> {
  info.value = await getJson<Info>("/info", { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => info.value);
}
