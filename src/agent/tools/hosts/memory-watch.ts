/** Ends a guest that uses too much memory. Looks every 250 ms, one look at a time, until it is stopped. */
const LOOK_MS = 250;

export interface MemoryWatch {
  stop(): void;
}

/** @param usedMb resolves with 0 when the use is unknown; may take any time, but must not reject */
export function watchMemory(limitMb: number, usedMb: () => Promise<number>, onExceeded: () => void): MemoryWatch {
  let isLooking = false;
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    void usedMb().then((used) => {
      isLooking = false;
      if (used > limitMb) onExceeded();
    });
  }, LOOK_MS);
  return { stop: () => clearInterval(timer) };
}

export function usedTooMuch(limitMb: number): string {
  return `The tool used more than its ${limitMb} MB of memory.`;
}
