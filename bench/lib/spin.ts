/** The blocking work of the bench, the same for evenkeel's tool and the baseline's. */

export function spin(ms: number): string {
  const end = performance.now() + ms;
  let turns = 0;
  while (performance.now() < end) turns += 1;
  return `${turns} turns`;
}
