/**
 * How long something is kept, as an operator writes it: `90d`, `12h`, `30m`, or `forever`. Read by the settings and the
 * command line.
 */

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const AGE = /^([1-9]\d{0,5})([mhd])$/;

/** For messages: what an operator may write. */
export const AGE_WORDS = 'a time such as "90d", "12h" or "30m", or "forever"';

/** @returns milliseconds; undefined for "forever"; NaN for any other text */
export function ageMs(text: string): number | undefined {
  if (text === "forever") return undefined;
  const [, count, unit] = AGE.exec(text) ?? [];
  return unit === undefined ? Number.NaN : Number(count) * UNITS[unit as keyof typeof UNITS];
}
