/** The queue as a run found it: nobody is told when it moves, so only the past can be said. */
export function wereAhead(runs: number): string {
  return `${runs === 1 ? "1 run was" : `${runs} runs were`} ahead of it when it came`;
}
