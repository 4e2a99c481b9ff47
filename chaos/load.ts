/** The load: lanes that begin one run after another, of a random kind, and watch each of them to its end. */
import { setTimeout as delay } from "node:timers/promises";
import { Evenkeel, EvenkeelError } from "../src/client/client.ts";
import { newId } from "../src/core/id.ts";
import type { Story } from "./check.ts";
import { Viewers } from "./viewers.ts";

const GIVE_UP_MS = 180_000;
const FULL_AGAIN_MS = 500;
const EFFECTS = ["pure", "idempotent", "unsafe"] as const;
const ISOLATIONS = ["thread", "process", "inline"] as const;

type Kind = "plain" | "tools" | "flaky" | "canceled";
const KINDS: readonly Kind[] = ["plain", "plain", "tools", "tools", "tools", "flaky", "canceled"];

type Random = (below: number) => number;

export interface LoadOptions {
  readonly url: string;
  readonly random: Random;
  /** The file into which tools write their trace. */
  readonly trace: string;
  readonly giveUp: AbortSignal;
}

export class Load {
  readonly stories: Story[] = [];
  readonly viewers: Viewers;
  readonly #client: Evenkeel;
  readonly #options: LoadOptions;
  readonly #done = new AbortController();
  readonly #running: Promise<void>[] = [];

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#client = new Evenkeel({ baseUrl: options.url, giveUpAfterMs: GIVE_UP_MS });
    this.viewers = new Viewers(options.url, this.#client, options.giveUp);
  }

  start(lanes: number): void {
    for (let lane = 0; lane < lanes; lane += 1) this.#keep(this.#lane());
  }

  /** A run beside the lanes whose tool does harm to its own process. */
  harm(tool: string): void {
    this.#keep(this.#run(`/sim ttft=0 tokens=1 ${tool}`, { isCulprit: true }));
  }

  /** Resolves when every run that was begun is over, or given up. Rejects with what a lane failed with. */
  async finish(): Promise<void> {
    this.#done.abort();
    await Promise.all(this.#running);
  }

  #keep(work: Promise<void>): void {
    // It may fail before `finish` awaits it. Unhandled, that would end this process and leave the server behind.
    work.catch(() => {});
    this.#running.push(work);
  }

  async #lane(): Promise<void> {
    const { random } = this.#options;
    while (!this.#done.signal.aborted) {
      const kind = KINDS[random(KINDS.length)] ?? "plain";
      await this.#run(this.#message(kind), { isPlain: kind !== "tools", isCanceled: kind === "canceled" });
      await delay(random(500));
    }
  }

  #message(kind: Kind): string {
    const { random, trace } = this.#options;
    const words = `/sim ttft=20 tokens=${20 + random(60)} rate=${20 + random(40)}`;
    if (kind === "flaky") return `${words} status=529 times=2 retry_after=1`;
    if (kind !== "tools") return words;
    const calls = Array.from({ length: 1 + random(3) }, () => {
      const [effects, isolation] = [EFFECTS[random(3)], ISOLATIONS[random(3)]];
      return `tool=${effects}_${isolation} input=${JSON.stringify({ file: trace, ms: 50 + random(1_500) })}`;
    });
    return `${words} ${calls.join(" ")}`;
  }

  async #run(message: string, about: Partial<Pick<Story, "isCulprit" | "isPlain" | "isCanceled">>): Promise<void> {
    const runId = newId("run");
    if (!(await this.#begin(runId, message))) return;
    const viewings = await Promise.all([
      this.#view(runId, "stream"),
      this.#view(runId, "socket"),
      ...(about.isCanceled ? [this.#cancel(runId)] : []),
    ]);
    const story = { isCulprit: false, isPlain: false, isCanceled: false, ...about };
    this.stories.push({ runId, message, ...story, viewings: viewings.filter((viewing) => viewing !== undefined) });
  }

  /** Repeats until it is acknowledged: a run id that is sent again names the same run. */
  async #begin(runId: string, message: string): Promise<boolean> {
    while (!this.#options.giveUp.aborted) {
      try {
        await this.#client.begin({ agent_id: "chaos", run_id: runId, message });
        return true;
      } catch (error) {
        // A full disk refuses at once, and a lost connection fails after a while.
        if (error instanceof EvenkeelError && error.code !== "STORAGE_FULL") throw error;
        await delay(FULL_AGAIN_MS);
      }
    }
    return false;
  }

  async #view(runId: string, over: "stream" | "socket") {
    return { viewer: over, seen: await this.viewers.read(runId, over) };
  }

  async #cancel(runId: string): Promise<undefined> {
    await delay(this.#options.random(1_500));
    await this.#client.cancel(runId).catch(() => undefined);
  }
}
