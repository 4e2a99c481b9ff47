/**
 * Standard output for log lines. A line that cannot be written (a full disk, a closed terminal, a reader that
 * has stopped) is lost. Nothing else happens, because a supervising server must not hang or end for a log
 * line. [pino's own stream does: after such an error it tries again for ever, in one go.]
 */
import { writeSync } from "node:fs";
import { Writable } from "node:stream";

const STDOUT = 1;
/**
 * A pipe with a slow reader may take more bytes a moment later. This is the longest time to wait for that.
 */
const RETRIES = 10;
const PAUSE_MS = 2;
const pause = new Int32Array(new SharedArrayBuffer(4));

export function lossyStdout(): Writable {
  return new Writable({
    write(line: Buffer, _encoding, done) {
      put(line);
      done();
    },
  });
}

/** Writes synchronously, so that the last lines of a process that ends are not lost. */
function put(line: Buffer): void {
  let rest = line;
  for (let tries = 0; rest.length > 0 && tries <= RETRIES;) {
    try {
      rest = rest.subarray(writeSync(STDOUT, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      tries += 1;
      Atomics.wait(pause, 0, 0, PAUSE_MS);
    }
  }
}
