/** Reads the body of an answer over connections that break, or that stay open although their server is gone. */

const NEWLINE = 10;

/** Ends where the body ends. @throws when the connection breaks or is silent for too long */
export async function* chunksOf(
  { body }: Response,
  silentAfterMs: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  // Safari cannot iterate a stream.
  const reader = body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { value, done } = await within(reader.read(), silentAfterMs);
      if (done) return;
      yield value;
    }
  } finally {
    // The caller stopped or the connection broke: in both cases nobody needs the rest.
    void reader.cancel().catch(() => {});
  }
}

/**
 * The whole body. @param onWaiting called for each sign that the server still works on the answer: while it does, it sends
 * newlines. @throws when the body does not come whole
 */
export async function wholeOf(response: Response, silentAfterMs: number, onWaiting: () => void): Promise<Blob> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let isWaiting = true;
  for await (const chunk of chunksOf(response, silentAfterMs)) {
    chunks.push(chunk);
    isWaiting &&= chunk.every((byte) => byte === NEWLINE);
    if (isWaiting) onWaiting();
  }
  return new Blob(chunks, { type: response.headers.get("content-type") ?? "" });
}

/** @throws when `promise` takes longer */
function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`Nothing came for ${ms} ms.`)), ms);
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
