/**
 * The engine as one principal sees it: what belongs to others does not exist. Routes and sockets use only this engine,
 * so that no route has to check ownership.
 */
import type { PrincipalLimits } from "../core/access.ts";
import type { Engine } from "../engine/engine.ts";
import type { Files } from "../engine/files.ts";
import { fileNotFound } from "../core/file.ts";
import { onlyOwner, type Principal } from "../core/principal.ts";

/** The methods of the engine that clients need. */
export type OwnEngine = Pick<
  Engine,
  | "enqueue"
  | "cancel"
  | "retry"
  | "post"
  | "deleteThread"
  | "run"
  | "runs"
  | "events"
  | "lastEvent"
  | "activities"
  | "lastActivity"
  | "threads"
  | "thread"
  | "spending"
  | "messages"
  | "counts"
  | "driver"
  | "check"
  | "bus"
  | "files"
>;

export function ownEngine(engine: Engine, asking: Principal, limits: PrincipalLimits): OwnEngine {
  const principal = onlyOwner(asking);
  return principal === undefined ? engine : engineOf(engine, principal, limits);
}

function engineOf(engine: Engine, principal: string, { queuedRuns }: PrincipalLimits): OwnEngine {
  const ownsRun = async (runId: string) => (await engine.principalOf({ runId })) === principal;
  const ownsThread = async (threadId: string) => (await engine.principalOf({ threadId })) === principal;
  return {
    enqueue: (run) => engine.enqueue({ ...run, onlyOwnThread: true, queuedAtMost: queuedRuns }),
    cancel: async (runId) => ((await ownsRun(runId)) ? engine.cancel(runId) : undefined),
    retry: async (request) =>
      (await ownsRun(request.of)) ? engine.retry({ ...request, queuedAtMost: queuedRuns }) : undefined,
    post: (activity) => engine.post(activity),
    deleteThread: async (threadId) => (await ownsThread(threadId)) && engine.deleteThread(threadId),
    run: async (runId) => ((await ownsRun(runId)) ? engine.run(runId) : undefined),
    runs: (filter) => engine.runs({ ...filter, principal }),
    events: async (runId, after, page) => ((await ownsRun(runId)) ? engine.events(runId, after, page) : []),
    lastEvent: async (runId) => ((await ownsRun(runId)) ? engine.lastEvent(runId) : 0),
    activities: (filter) => engine.activities({ ...filter, principal }),
    lastActivity: () => engine.lastActivity(),
    threads: (filter) => engine.threads({ ...filter, principal }),
    thread: async (threadId) => ((await ownsThread(threadId)) ? engine.thread(threadId) : undefined),
    spending: (filter) => engine.spending({ ...filter, principal }),
    messages: async (threadId, page) =>
      (await ownsThread(threadId)) ? engine.messages(threadId, page) : { items: [], next: null },
    counts: () => engine.counts(),
    driver: engine.driver,
    check: () => engine.check(),
    bus: () => engine.bus(),
    files: filesOf(engine.files, principal),
  };
}

function filesOf(files: Files, principal: string): Files {
  const find = async (fileId: string) => {
    const file = await files.find(fileId);
    return file?.principal === principal ? file : undefined;
  };
  return {
    incoming: () => files.incoming(),
    save: (file) => files.save(file),
    find,
    list: (filter) => files.list({ ...filter, principal }),
    read: async (fileId) => {
      if (!(await find(fileId))) throw fileNotFound(fileId);
      return files.read(fileId);
    },
    readRange: async (fileId, range) => {
      if (!(await find(fileId))) throw fileNotFound(fileId);
      return files.readRange(fileId, range);
    },
    remove: async (fileId) => ((await find(fileId)) ? files.remove(fileId) : false),
  };
}
