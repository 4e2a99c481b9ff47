/**
 * One guest, seen from the agent process: the calls that it has, whether its loop answers, and its end.
 *
 *   starting   calls wait until the tool's file is loaded            → serving, gone
 *   serving    takes calls; ends after IDLE_MS without any           → retired, gone
 *   retired    takes no more; ends with its last call                → gone
 *   gone       killed, or ended by itself; calls left are orphans, or missed
 *
 * A call that is given up (its time is up, or its run has ended) is answered at once. Its guest has GIVE_UP_MS to show
 * that the call has ended and left nothing behind. Otherwise the guest is retired; if its loop does not even answer, it
 * is killed.
 */
import { tookLonger } from "../inline.ts";
import type { HostedCall } from "./hosted-call.ts";
import type { FromGuest } from "./protocol.ts";
import type { HostedTool, OpenVessel, Vessel } from "./vessel.ts";

const START_MS = 10_000;
const IDLE_MS = 30_000;
/**
 * A loop that does not take a call within this time counts as blocked, and new calls go elsewhere. Guests have the
 * lowest priority: on a busy machine a loop that is not blocked may be late, too. [With 100 ms, a load of 20 on 2 cores
 * started needless threads.]
 */
const TAKE_MS = 250;
const GIVE_UP_MS = 1_000;
/** A guest that has not ended within this time is inside native code, and may stay there. */
const END_MS = 1_000;

export interface HostEvents {
  /** The guest has not begun this call, because its loop is blocked: start it elsewhere. */
  readonly onRefused: (call: HostedCall) => void;
  /** This host may have room again. */
  readonly onRoom: () => void;
  /**
   * @param orphans calls that the guest may have begun, and that are not settled. `missed`: calls that it surely never
   *   began. `isBlamed`: the guest ended by itself, so one of the orphans caused it. `hasServed`: it has settled a call
   */
  readonly onGone: (end: {
    readonly orphans: readonly HostedCall[];
    readonly missed: readonly HostedCall[];
    readonly reason: string;
    readonly isBlamed: boolean;
    readonly hasServed: boolean;
  }) => void;
  /** The host has really ended, so its memory is free. */
  readonly onEnded: () => void;
  /** The host was killed and has not ended within END_MS. */
  readonly onStuck: () => void;
  /** An error that belongs to no call under way. */
  readonly onStray: (reason: string) => void;
}

export class Host {
  readonly #tool: HostedTool;
  readonly #events: HostEvents;
  readonly #vessel: Vessel;
  // Bounded by the calls of the runs under way.
  readonly #calls = new Map<number, HostedCall>();
  /** Ids of calls that were given up but have not ended. */
  readonly #givenUp = new Set<number>();
  #state: "starting" | "serving" | "retired" | "gone" = "starting";
  #hasServed = false;
  /** True when the guest did not take a call within TAKE_MS, and has not answered since. */
  #isBlocked = false;
  /** True when the guest was asked for a sign of life, and has not answered since. */
  #isSilent = false;
  /** Fires when the guest does not start, has nothing to do, or does not end. */
  #timer: NodeJS.Timeout;
  #judging: NodeJS.Timeout | undefined;
  readonly #takeTimers = new Map<number, NodeJS.Timeout>();
  readonly #ended = Promise.withResolvers<void>();

  constructor(tool: HostedTool, open: OpenVessel, events: HostEvents) {
    this.#tool = tool;
    this.#events = events;
    this.#timer = setTimeout(() => this.#fail(`Its file did not load within ${START_MS} ms.`), START_MS);
    this.#vessel = open(tool, {
      onMessage: (message) => this.#hear(message),
      onExit: (reason, saidAll) => this.#exited(reason, saidAll),
    });
  }

  get isProcess(): boolean {
    return !this.#vessel.isShared;
  }

  /** How many calls were given up but have not ended. */
  get givenUp(): number {
    return this.#givenUp.size;
  }

  canTake(call: HostedCall): boolean {
    if (this.#state === "gone" || this.#state === "retired" || this.#isBlocked) return false;
    if (this.#vessel.hasEnded()) return false;
    // Until the given-up calls have ended, nobody knows what they would do to the next calls.
    if (this.#givenUp.size > 0) return false;
    if (call.isAlone || !this.#vessel.isShared) return this.#calls.size === 0;
    return ![...this.#calls.values()].some(({ isAlone }) => isAlone);
  }

  take(call: HostedCall): void {
    this.#calls.set(call.id, call);
    if (this.#state !== "serving") return;
    clearTimeout(this.#timer);
    this.#send(call);
  }

  /** Answers the call now. Its guest is told, and watched. */
  giveUp(call: HostedCall, reason: string): void {
    if (!this.#calls.delete(call.id)) return;
    this.#clearTake(call.id);
    call.fail(reason);
    if (this.#state === "starting") return;
    this.#givenUp.add(call.id);
    this.#vessel.send({ type: "abort", id: call.id, reason });
    this.#vessel.killChildrenOf(call.id);
    this.#probe();
  }

  /**
   * Ends the guest now. Its calls become orphans, and none is blamed. Resolves when the guest has ended, or cannot be
   * ended.
   */
  stop(reason: string): Promise<void> {
    this.#end(reason, false);
    return this.#ended.promise;
  }

  #send(call: HostedCall): void {
    const { id, input, context } = call;
    const output = this.#vessel.openOutput();
    call.output = output;
    call.hasBegun = false;
    const timeoutMs = call.timeoutMs ?? this.#tool.timeoutMs;
    call.startClock(timeoutMs, () => this.giveUp(call, tookLonger(timeoutMs)));
    this.#vessel.send({ type: "call", id, input, context, ...(output.shared && { memory: output.shared }) });
    if (!output.withdraw) return;
    const untaken = setTimeout(() => {
      this.#takeTimers.delete(id);
      if (output.withdraw?.()) this.#refuse(call);
    }, TAKE_MS);
    this.#takeTimers.set(id, untaken);
  }

  #refuse(call: HostedCall): void {
    this.#calls.delete(call.id);
    call.stopClock();
    this.#isBlocked = true;
    this.#probe();
    this.#events.onRefused(call);
  }

  /** Asks for a sign of life, and checks the answer after a while. */
  #probe(): void {
    this.#vessel.send({ type: "ping" });
    this.#isSilent = true;
    this.#judging ??= setTimeout(() => this.#judge(), GIVE_UP_MS);
  }

  #judge(): void {
    this.#judging = undefined;
    const isIdle = this.#calls.size === 0;
    // While a call within its time blocks the loop, the clock of that call decides.
    if (this.#isSilent && (isIdle || this.#givenUp.size > 0))
      this.#end("The loop of its thread was blocked, and the thread was ended.", false);
    else if (this.#givenUp.size > 0) this.#retire();
  }

  #hear(message: FromGuest): void {
    // Any message shows that the loop turns.
    this.#isBlocked = false;
    this.#isSilent = false;
    switch (message.type) {
      case "ready":
        return this.#serve();
      case "failed":
        return this.#fail(`The tool's file could not be loaded: ${message.reason}`);
      case "pong":
        return this.#events.onRoom();
      case "begun":
        return this.#began(message.id);
      case "settled":
        return this.#settled(message);
      case "report":
        return this.#calls.get(message.id)?.report(message.report);
      case "fault":
        return this.#faulted(message.id, message.reason);
    }
  }

  #began(id: number): void {
    const call = this.#calls.get(id);
    if (call) call.hasBegun = true;
  }

  #serve(): void {
    if (this.#state !== "starting") return;
    this.#state = "serving";
    clearTimeout(this.#timer);
    for (const call of this.#calls.values()) this.#send(call);
    this.#rest();
  }

  #settled({ id, content, isError, isClean }: FromGuest & { type: "settled" }): void {
    this.#hasServed = true;
    if (this.#givenUp.delete(id)) {
      // Keep the guest if the call ended when it was told to, and left nothing behind.
      if (!isClean) this.#retire();
      return this.#rest();
    }
    const call = this.#calls.get(id);
    if (!call) return;
    this.#calls.delete(id);
    this.#clearTake(id);
    call.settle({ content, isError });
    // A process runs one call at a time, and the next call must find it as if it were new.
    if (!isClean && !this.#vessel.isShared) this.#retire();
    this.#rest();
  }

  #faulted(id: number | null, reason: string): void {
    const call = id === null ? undefined : this.#calls.get(id);
    if (!call) this.#events.onStray(reason);
    else {
      this.#calls.delete(call.id);
      this.#clearTake(call.id);
      call.fail(reason);
    }
    // Nobody knows what the error interrupted, so no new call may depend on this guest.
    this.#retire();
  }

  #retire(): void {
    if (this.#state === "serving") this.#state = "retired";
    this.#rest();
    this.#events.onRoom();
  }

  /** Called after each call, to see whether anything is left to do. */
  #rest(): void {
    if (this.#calls.size > 0) return;
    if (this.#state === "retired") this.#end("It was retired.", false);
    if (this.#state !== "serving") return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end("It was idle.", false), IDLE_MS);
    this.#events.onRoom();
  }

  #fail(reason: string): void {
    for (const call of this.#calls.values()) call.fail(reason);
    this.#calls.clear();
    this.#end(reason, false);
  }

  /** @param saidAll true when nothing that the guest said is unread */
  #end(reason: string, isBlamed: boolean, saidAll = false): void {
    if (this.#state === "gone") return;
    const orphans: HostedCall[] = [];
    const missed: HostedCall[] = [];
    for (const call of this.#calls.values()) (this.#mayHaveBegun(call, saidAll) ? orphans : missed).push(call);
    this.#state = "gone";
    this.#givenUp.clear();
    clearTimeout(this.#judging);
    for (const timer of this.#takeTimers.values()) clearTimeout(timer);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#ended.resolve();
      this.#events.onStuck();
    }, END_MS);
    this.#vessel.kill();
    for (const call of this.#calls.values()) call.stopClock();
    this.#calls.clear();
    this.#events.onGone({ orphans, missed, reason, isBlamed, hasServed: this.#hasServed });
  }

  #mayHaveBegun(call: HostedCall, saidAll: boolean): boolean {
    // Nothing is sent to a guest that starts.
    if (this.#state === "starting") return false;
    if (call.output?.withdraw) return !call.output.withdraw();
    return !saidAll || call.hasBegun;
  }

  #exited(reason: string, saidAll: boolean): void {
    this.#end(reason, true, saidAll);
    clearTimeout(this.#timer);
    this.#ended.resolve();
    this.#events.onEnded();
  }

  #clearTake(id: number): void {
    clearTimeout(this.#takeTimers.get(id));
    this.#takeTimers.delete(id);
  }
}
