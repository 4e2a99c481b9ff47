/**
 * A viewer's sink for clients of other protocols: frames of a run's journal go through an encoder and on into an event
 * stream. The encoder belongs to one viewer, so its state is one client's; backpressure is the stream's own.
 */
import type { StoredEvent, StreamEncoder } from "../protocols/encoder.ts";
import type { Frame } from "./frame.ts";
import type { SseStream } from "./sse.ts";
import type { OpenSink } from "./viewer.ts";

export class EncodedStream implements OpenSink {
  readonly #stream: SseStream;
  readonly #encoder: StreamEncoder;

  constructor(stream: SseStream, encoder: StreamEncoder) {
    this.#stream = stream;
    this.#encoder = encoder;
  }

  get full(): boolean {
    return this.#stream.full;
  }

  write(frames: readonly Frame[]): void {
    const text = frames.map((frame) => this.#encode(frame)).join("");
    if (text !== "") this.#stream.send(text);
  }

  /** For an encoder that takes the events of delegated runs. */
  tell(event: object): void {
    const text = this.#encoder.encode(event as StoredEvent);
    if (text !== "") this.#stream.send(text);
  }

  #encode({ json, lengths }: Frame): string {
    return this.#encoder.encode(JSON.parse(json) as StoredEvent, lengths);
  }

  /**
   * Compacted history has holes in its numbers but not in its content, and these protocols cannot express a
   * gap.
   */
  gap(): void {}

  onDrain(resume: () => void): void {
    this.#stream.onDrain(resume);
  }
}
