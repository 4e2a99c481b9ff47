/**
 * `import { useRun, useThread } from "evenkeel/react"`: hooks over `evenkeel/client`. Both follow while a component that
 * uses them is mounted, and resume by themselves over lost connections and dead workers. React ≥ 18.
 */
"use client";
import { useMemo, useSyncExternalStore } from "react";
import type { Evenkeel } from "../client/client.ts";
import { RunStore, type WatchedRun } from "./run-store.ts";
import { ThreadStore, type ThreadOptions, type ThreadView } from "./thread-store.ts";

export type { WatchedRun } from "./run-store.ts";
export type { RunPart, RunView } from "./run-view.ts";
export type { ThreadOptions, ThreadView } from "./thread-store.ts";

const never = (): (() => void) => () => {};
const nothing = (): undefined => undefined;

/**
 * A run, live until its end. @param client one for the whole page, made outside of the component
 * @param runId undefined while there is none yet
 */
export function useRun(client: Evenkeel, runId: string | undefined): WatchedRun | undefined {
  const store = useMemo(() => (runId === undefined ? undefined : RunStore.follow(client, runId)), [client, runId]);
  return useSyncExternalStore<WatchedRun | undefined>(store?.subscribe ?? never, store?.get ?? nothing, nothing);
}

/**
 * A thread with its messages, the run under way, and what a chat page needs to go on with it.
 * @param options a new `threadId` is a new thread: `crypto.randomUUID()` makes one
 */
export function useThread({
  client,
  threadId,
  agentId,
}: ThreadOptions): ThreadView & Pick<ThreadStore, "send" | "cancel"> {
  const store = useMemo(() => new ThreadStore({ client, threadId, agentId }), [client, threadId, agentId]);
  const view = useSyncExternalStore(store.subscribe, store.get, store.get);
  return { ...view, send: store.send, cancel: store.cancel };
}
