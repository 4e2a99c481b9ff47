/**
 * The queue at the moment when a run entered it. Nothing reports when the queue moves, so the page can only show that
 * moment.
 */
export function wereAhead(runs: number): string {
  return `${runs === 1 ? "1 run was" : `${runs} runs were`} ahead of it when it came`;
}
