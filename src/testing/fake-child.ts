/** A child process that does what the test says, in place of a forked one. Called by the tests of src/process. */
import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import type { Channel, ChannelEvents } from "../process/channel.ts";
import { Child } from "../process/child.ts";
import type { FromChild, ToChild } from "../process/protocol.ts";

export class FakeProcess extends EventEmitter implements Channel {
  readonly pid: number;
  readonly sent: ToChild[] = [];
  /** The signal that ended it, if one did. */
  signal: NodeJS.Signals | null = null;
  #events: ChannelEvents | undefined;

  constructor(pid: number) {
    super();
    this.pid = pid;
  }

  /** What a slot or supervisor would get from a fork. */
  child(): Child {
    return new Child(this as unknown as ChildProcess, this);
  }

  listen(events: ChannelEvents): void {
    this.#events = events;
  }

  async send(message: ToChild): Promise<boolean> {
    this.sent.push(message);
    return true;
  }

  close(): void {}

  kill(signal: NodeJS.Signals): void {
    this.exit(null, signal);
  }

  say(message: FromChild): void {
    this.sayAnything(message);
  }

  /** Sends anything, like a child that breaks the protocol. */
  sayAnything(message: unknown): void {
    this.#events?.onMessage(message);
  }

  closeChannel(flood?: string): void {
    this.#events?.onClose(flood);
  }

  exit(code: number | null, signal: NodeJS.Signals | null = null): void {
    this.signal = signal;
    this.emit("exit", code, signal);
  }
}
