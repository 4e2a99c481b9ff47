/**
 * The part of GET /info that the page shows; shell/use-server-info.ts requests it again after a reload and after a
 * reconnect.
 */
import { signal } from "@preact/signals";
import { getJson } from "../live/api.ts";

export interface Info {
  readonly model: { readonly simulated: boolean };
}

const PATIENCE_MS = 3_000;

/** Null until it has arrived. */
export const info = signal<Info | null>(null);

/** Never throws: the page works without it. */
export async function loadInfo(): Promise<void> {
  info.value = await getJson<Info>("/info", { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => info.value);
}
