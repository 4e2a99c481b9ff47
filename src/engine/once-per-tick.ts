/** Shares one read among all callers of one tick of the event loop, however many requests that tick serves. */
export function oncePerTick<T>(read: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => {
    if (answer) return answer;
    setImmediate(() => (answer = undefined));
    answer = read();
    return answer;
  };
}
