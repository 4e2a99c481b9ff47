/** A server for the tests of models: it answers requests as the test says, and says over the live connection what the test tells it to. */
import type { Listener } from "./client.ts";
import type { CallOp, ChannelRequest } from "./messages.ts";
import type { Services } from "./services.ts";

interface FakeSubscription {
  readonly request: ChannelRequest;
  readonly listener: Listener;
}

export class FakeServices implements Services {
  /** Paths of all requests, in order; a test may empty it. */
  requests: string[] = [];
  readonly calls: CallOp[] = [];
  /** Subscriptions that stand now. */
  readonly subscriptions = new Set<FakeSubscription>();
  /** How many were given back. */
  ended = 0;
  /** A subscription is confirmed in the next microtask; false: when the test calls `ready`. */
  isReadyAtOnce = true;
  /** The body of an answer. What it throws is the refusal. */
  answer: (path: string) => unknown = () => ({});
  upload: Services["api"]["upload"] = () => new Promise(() => {});
  reply: (op: CallOp) => Promise<Record<string, unknown>> = async () => ({});

  readonly api: Services["api"] = {
    get: async <T>(path: string): Promise<T> => {
      this.requests.push(path);
      return (await this.answer(path)) as T;
    },
    send: async () => undefined,
    upload: (file, options) => this.upload(file, options),
  };

  readonly live: Services["live"] = {
    subscribe: (request, listener) => {
      const subscription = { request, listener };
      this.subscriptions.add(subscription);
      if (this.isReadyAtOnce) queueMicrotask(() => this.subscriptions.has(subscription) && listener.onReady?.());
      return () => {
        if (this.subscriptions.delete(subscription)) this.ended += 1;
      };
    },
    call: (op) => {
      this.calls.push(op);
      return this.reply(op);
    },
  };

  /** By run: from which seq it is followed. */
  get followed(): ReadonlyMap<string, number | undefined> {
    return new Map(
      [...this.subscriptions].flatMap(({ request }) =>
        request.channel === "run" ? [[request.run_id, request.after] as const] : [],
      ),
    );
  }

  ready(): void {
    for (const { listener } of this.subscriptions) listener.onReady?.();
  }

  restarted(): void {
    for (const { listener } of this.subscriptions) listener.onRestarted?.();
  }

  /** To everybody who listens to the activities. */
  tell(activity: object): void {
    for (const { request, listener } of this.subscriptions)
      if (request.channel === "activities") listener.onEvent(activity, (activity as { seq?: number }).seq);
  }

  /** An event of one run, to everybody who follows it. */
  tellRun(runId: string, event: object): void {
    for (const { request, listener } of this.subscriptions)
      if (request.channel === "run" && request.run_id === runId)
        listener.onEvent(event, (event as { seq?: number }).seq);
  }
}
