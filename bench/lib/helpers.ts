/** The helper processes by name, each started niced as its part asks for. Used by the questions. */
import type { BareAnswer } from "../baselines/bare-http.ts";
import type { CannonJob, CannonResult } from "../clients/cannon.ts";
import type { PaceJob, PaceResult } from "../clients/pace.ts";
import type { PostsJob, PostsResult } from "../clients/posts.ts";
import type { MutesJob, OpenMutes } from "../clients/mutes.ts";
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

/**
 * A client that measures latency runs at normal priority; otherwise its own wait for the CPU would look like the
 * server's.
 */
export class Pace extends Helper {
  constructor(processes: Processes) {
    super(processes, new URL("../clients/pace.ts", import.meta.url));
  }

  run(job: PaceJob): Promise<PaceResult> {
    return this.ask(job);
  }
}

export class Cannon extends Helper {
  constructor(processes: Processes) {
    super(processes, new URL("../clients/cannon.ts", import.meta.url));
  }

  run(job: CannonJob): Promise<CannonResult> {
    return this.ask(job);
  }

  /** @throws Error when any request failed: a fast error page is no throughput */
  async throughput(job: CannonJob): Promise<CannonResult> {
    const result = await this.run(job);
    if (result.failed > 0) throw new Error(`${result.failed} of the requests to ${job.base} failed.`);
    return result;
  }
}

export class Posts extends Helper {
  constructor(processes: Processes, as: Part) {
    super(processes, new URL("../clients/posts.ts", import.meta.url), niceOf(as));
  }

  run(job: PostsJob): Promise<PostsResult> {
    return this.ask(job);
  }
}

export class ToolCalls extends Helper {
  constructor(processes: Processes) {
    super(processes, new URL("../clients/tool-calls.ts", import.meta.url));
  }

  run(job: ToolCallsJob): Promise<ToolCallsResult> {
    return this.ask(job);
  }
}

export class ToModel extends Helper {
  constructor(processes: Processes) {
    super(processes, new URL("../clients/to-model.ts", import.meta.url));
  }

  run(job: ToModelJob): Promise<ToModelResult> {
    return this.ask(job);
  }
}

/** The helper makes load and does not measure, so it has a lower priority than the servers. */
export class Streams extends Helper {
  constructor(processes: Processes) {
    super(processes, new URL("../clients/streams.ts", import.meta.url), OTHERS_NICE);
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

export class Viewers extends Helper {
  constructor(processes: Processes, as: Part) {
    super(processes, new URL("../clients/viewers.ts", import.meta.url), niceOf(as));
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

export class UseChats extends Helper {
  constructor(processes: Processes) {
    super(processes, new URL("../clients/use-chat.ts", import.meta.url), OTHERS_NICE);
  }

  run(job: UseChatJob): Promise<UseChatResult> {
    return this.ask(job);
  }
}

export class Mutes extends Helper {
  constructor(processes: Processes) {
    super(processes, new URL("../clients/mutes.ts", import.meta.url), OTHERS_NICE);
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
