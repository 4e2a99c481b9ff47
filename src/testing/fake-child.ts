/** A child process that does what the test says, in place of a forked one. Called by the tests of src/process. */
import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { Child } from "../process/child.ts";
import type { FromChild, ToChild } from "../process/protocol.ts";

export class FakeProcess extends EventEmitter {
  readonly pid: number;
  connected = true;
  readonly sent: ToChild[] = [];

  constructor(pid: number) {
    super();
    this.pid = pid;
  }

  /** What a slot or supervisor would get from a fork. */
  child(): Child {
    return new Child(this as unknown as ChildProcess);
  }

  send(message: ToChild): void {
    this.sent.push(message);
  }

  kill(signal: NodeJS.Signals): void {
    this.exit(null, signal);
  }

  say(message: FromChild): void {
    this.emit("message", message);
  }

  exit(code: number | null, signal: NodeJS.Signals | null = null): void {
    this.emit("exit", code, signal);
  }
}
