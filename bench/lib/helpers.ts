/** The helper processes by name, each started niced as its part asks for. Used by the questions. */
import type { BareAnswer } from "../baselines/bare-http.ts";
import type { CannonJob, CannonResult } from "../clients/cannon.ts";
import type { ClaimsJob, ClaimsResult, OpenClaims } from "../clients/claims.ts";
import type { CyclesJob, CyclesResult, OpenCycles } from "../clients/cycles.ts";
import type { FloodJob, FloodResult } from "../clients/flood.ts";
import type { PaceJob, PaceResult } from "../clients/pace.ts";
import type { PostsJob, PostsResult } from "../clients/posts.ts";
import type { MutesJob, OpenMutes } from "../clients/mutes.ts";
import type { ReadsJob, ReadsResult } from "../clients/reads.ts";
import type { ToModelJob, ToModelResult } from "../clients/to-model.ts";
import type { ToolCallsJob, ToolCallsResult } from "../clients/tool-calls.ts";
import type { UseChatJob, UseChatResult } from "../clients/use-chat.ts";
import type { OpenStreams, StreamCounts, StreamsJob } from "../clients/streams.ts";
import type { OpenViewers, Seen, ViewersJob } from "../clients/viewers.ts";
import { Helper } from "./jobs.ts";
import type { Processes } from "./processes.ts";
import { OTHERS_NICE } from "./servers.ts";

/**
 * measure: the helper measures delays and has normal priority. load: the helper only makes load and has low priority.
 */
type Part = "measure" | "load";

const niceOf = (part: Part) => (part === "load" ? OTHERS_NICE : 0);

const client = (name: string) => new URL(`../clients/${name}.ts`, import.meta.url);

interface Work {
  readonly job: unknown;
  readonly result: unknown;
}

/** A helper that does one kind of job. */
class OneJob<Kind extends Work> extends Helper {
  run(job: Kind["job"]): Promise<Kind["result"]> {
    return this.ask(job);
  }
}

export type Pace = OneJob<{ job: PaceJob; result: PaceResult }>;
export type Posts = OneJob<{ job: PostsJob; result: PostsResult }>;

/**
 * A client that measures latency runs at normal priority; otherwise its own wait for the CPU would look like the
 * server's.
 */
export function startPace(processes: Processes): Pace {
  return new OneJob(processes, client("pace"));
}

export function startPosts(processes: Processes, as: Part): Posts {
  return new OneJob(processes, client("posts"), niceOf(as));
}

/** A client that measures how soon it is refused. */
export function startFlood(processes: Processes): OneJob<{ job: FloodJob; result: FloodResult }> {
  return new OneJob(processes, client("flood"));
}

export function startReads(processes: Processes): OneJob<{ job: ReadsJob; result: ReadsResult }> {
  return new OneJob(processes, client("reads"), OTHERS_NICE);
}

export function startToolCalls(processes: Processes): OneJob<{ job: ToolCallsJob; result: ToolCallsResult }> {
  return new OneJob(processes, client("tool-calls"));
}

export function startToModel(processes: Processes): OneJob<{ job: ToModelJob; result: ToModelResult }> {
  return new OneJob(processes, client("to-model"));
}

export function startUseChats(processes: Processes): OneJob<{ job: UseChatJob; result: UseChatResult }> {
  return new OneJob(processes, client("use-chat"), OTHERS_NICE);
}

export class Cannon extends OneJob<{ job: CannonJob; result: CannonResult }> {
  constructor(processes: Processes) {
    super(processes, client("cannon"));
  }

  /** @throws Error when any request failed: a fast error page is no throughput */
  async throughput(job: CannonJob): Promise<CannonResult> {
    const result = await this.run(job);
    if (result.failed > 0) throw new Error(`${result.failed} of the requests to ${job.base} failed.`);
    return result;
  }
}

/** The helper makes load and does not measure, so it has a lower priority than the servers. */
export class Streams extends Helper {
  constructor(processes: Processes) {
    super(processes, client("streams"), OTHERS_NICE);
  }

  open(streams: OpenStreams): Promise<void> {
    return this.ask({ op: "open", ...streams } satisfies StreamsJob);
  }

  count(): Promise<StreamCounts> {
    return this.ask({ op: "count" } satisfies StreamsJob);
  }

  close(): Promise<void> {
    return this.ask({ op: "close" } satisfies StreamsJob);
  }
}

/** The helper makes load and does not measure, so it has a lower priority than the servers. */
export class Cycles extends Helper {
  constructor(processes: Processes) {
    super(processes, client("cycles"), OTHERS_NICE);
  }

  open(cycles: OpenCycles): Promise<CyclesResult> {
    return this.ask({ op: "open", ...cycles } satisfies CyclesJob);
  }

  count(): Promise<CyclesResult> {
    return this.ask({ op: "count" } satisfies CyclesJob);
  }

  close(): Promise<CyclesResult> {
    return this.ask({ op: "close" } satisfies CyclesJob);
  }
}

/** An agent process as far as claims go, so with the priority of a server. */
export class Claimer extends Helper {
  constructor(processes: Processes) {
    super(processes, client("claims"));
  }

  open(claims: OpenClaims): Promise<ClaimsResult> {
    return this.ask({ op: "open", ...claims } satisfies ClaimsJob);
  }

  claim(limit: number): Promise<ClaimsResult> {
    return this.ask({ op: "claim", limit } satisfies ClaimsJob);
  }

  close(): Promise<ClaimsResult> {
    return this.ask({ op: "close" } satisfies ClaimsJob);
  }
}

export class Viewers extends Helper {
  constructor(processes: Processes, as: Part) {
    super(processes, client("viewers"), niceOf(as));
  }

  open(viewers: OpenViewers): Promise<void> {
    return this.ask({ op: "open", ...viewers } satisfies ViewersJob);
  }

  take(): Promise<Seen> {
    return this.ask({ op: "take" } satisfies ViewersJob);
  }

  drop(): Promise<number[]> {
    return this.ask({ op: "drop" } satisfies ViewersJob);
  }

  missing(newest: number): Promise<number> {
    return this.ask({ op: "missing", newest } satisfies ViewersJob);
  }

  close(): Promise<void> {
    return this.ask({ op: "close" } satisfies ViewersJob);
  }
}

export class Mutes extends Helper {
  constructor(processes: Processes) {
    super(processes, client("mutes"), OTHERS_NICE);
  }

  open(mutes: OpenMutes): Promise<void> {
    return this.ask({ op: "open", ...mutes } satisfies MutesJob);
  }

  /** @returns the close codes of sockets; 0 for a stream that ended, or for a connection that did not close */
  readOn(): Promise<number[]> {
    return this.ask({ op: "read on" } satisfies MutesJob);
  }

  /** @returns ms until the server closed a client that answers no ping */
  silent(base: string): Promise<number> {
    return this.ask({ op: "silent", base } satisfies MutesJob);
  }

  close(): Promise<void> {
    return this.ask({ op: "close" } satisfies MutesJob);
  }
}

export class Baseline extends Helper {
  /** @returns its URL */
  listen(job: { readonly modelUrl: string } | readonly BareAnswer[]): Promise<string> {
    return this.ask(job);
  }
}

export function oneProcess(processes: Processes): Baseline {
  return new Baseline(processes, new URL("../baselines/one-process.ts", import.meta.url));
}

export function sdkPipe(processes: Processes): Baseline {
  return new Baseline(processes, new URL("../baselines/sdk-pipe.ts", import.meta.url));
}

export function clusterAiSdk(processes: Processes): Baseline {
  return new Baseline(processes, new URL("../baselines/cluster-ai-sdk.ts", import.meta.url));
}

export function bareHttp(processes: Processes): Baseline {
  return new Baseline(processes, new URL("../baselines/bare-http.ts", import.meta.url));
}
