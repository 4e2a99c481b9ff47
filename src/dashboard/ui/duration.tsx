/** A length of time in digits of one width. */
import { duration } from "./format.ts";

export function Duration({ ms }: { ms: number }) {
  return (
    <span class="num" title={`${Math.round(ms)} ms`}>
      {duration(ms)}
    </span>
  );
}
