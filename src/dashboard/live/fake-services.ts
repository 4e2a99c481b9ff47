/**
 * A server for the tests of models: it answers requests as the test says, and sends over the live connection what the
 * test tells it to send.
 */
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
  /** Subscriptions that are open now. */
  readonly subscriptions = new Set<FakeSubscription>();
  /** How many subscriptions were closed. */
  ended = 0;
  /** A subscription is confirmed in the next microtask; false: when the test calls `ready`. */
  isReadyAtOnce = true;
  /** Returns the body of an answer; throws to refuse the request. */
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

  /** The seq after which each run is followed, by run. */
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

  /** Sends to all listeners of the activities. */
  tell(activity: object): void {
    for (const { request, listener } of this.subscriptions)
      if (request.channel === "activities") listener.onEvent(activity, (activity as { seq?: number }).seq);
  }

  /** Sends an event of one run to all its followers. */
  tellRun(runId: string, event: object): void {
    for (const { request, listener } of this.subscriptions)
      if (request.channel === "run" && request.run_id === runId)
        listener.onEvent(event, (event as { seq?: number }).seq);
  }
}
