/**
 * The live connection as pages use it. There is one per page, and one socket for all pages of the browser
 * (shared-worker.ts). The shell always watches "processes", which ticks each second and so proves life.
 */
import type { ReadonlySignal } from "@preact/signals";
import { LiveClient, type Connection, type Listener } from "./client.ts";
import { signInMark } from "./key.ts";
import type { CallOp, ChannelRequest } from "./messages.ts";

export type { ChannelRequest } from "./messages.ts";
export type { Listener } from "./client.ts";

const client = new LiveClient(signInMark);

// Without this, a closed tab's subscriptions would stay in the worker until the worker notices the tab's silence.
addEventListener("pagehide", () => client.suspend());
addEventListener("pageshow", ({ persisted }) => persisted && client.resume());

/** "lost" means that nothing was received for four seconds, so the page may show old data. */
export const connection: ReadonlySignal<Connection> = client.connection;

/**
 * Survives lost connections and resumes after the last seq, so the listener sees every seq once; subscribes again by
 * itself when a problem of the server broke it off. @returns a function that ends the subscription; no event comes
 * after it
 */
export function subscribe(request: ChannelRequest, listener: Listener): () => void {
  return client.subscribe(request, listener);
}

/** Answered with the frames of docs/websocket.md. Waits through lost connections. @throws ApiError */
export function call(op: CallOp): Promise<Record<string, unknown>> {
  return client.call(op);
}

/** Call it after a sign-in or sign-out, because the socket has to be opened with, or without, the cookie. */
export function reconnect(): void {
  client.resume();
}
