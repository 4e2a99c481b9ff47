/** Numbers and times as people read them. Pure; every result has a stable width where it can. */

const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;

/** 0.4 → "0.4 ms", 12.3 → "12 ms", 1840 → "1.8 s", 75_000 → "1 min 15 s". */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return "–";
  if (ms < 9.95) return `${decimal(ms)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${decimal(ms / 1_000)} s`;
  return seconds(Math.round(ms / 1_000));
}

/** The time between two whole milliseconds, where 0 means less than one. */
export function timeBetween(start: number, end: number): string {
  return end - start < 1 ? "< 1 ms" : duration(end - start);
}

/** 8 → "8 s", 75 → "1 min 15 s", 7_300 → "2 h 1 min", 200_000 → "2 d 7 h". */
export function seconds(total: number): string {
  const s = Math.max(0, Math.floor(total));
  if (s < MINUTE_S) return `${s} s`;
  if (s < HOUR_S) return `${Math.floor(s / MINUTE_S)} min${rest(s % MINUTE_S, "s")}`;
  if (s < DAY_S) return `${Math.floor(s / HOUR_S)} h${rest(Math.floor((s % HOUR_S) / MINUTE_S), "min")}`;
  return `${Math.floor(s / DAY_S)} d${rest(Math.floor((s % DAY_S) / HOUR_S), "h")}`;
}

/** How long ago, in one unit: "now", "8 s ago", "3 min ago", "2 h ago", "5 d ago". */
export function ago(at: number, now: number): string {
  const s = Math.max(0, Math.round((now - at) / 1_000));
  if (s < 1) return "now";
  if (s < MINUTE_S) return `${s} s ago`;
  if (s < HOUR_S) return `${Math.floor(s / MINUTE_S)} min ago`;
  if (s < DAY_S) return `${Math.floor(s / HOUR_S)} h ago`;
  return `${Math.floor(s / DAY_S)} d ago`;
}

/** 950 → "950", 9_500 → "9,500", 12_345 → "12.3 k", 3_400_000 → "3.4 M". */
export function count(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) < 9_999.5) return grouped(Math.round(value));
  if (Math.abs(value) < 999_500) return `${decimal(value / 1_000)} k`;
  return `${decimal(value / 1_000_000)} M`;
}

/** Powers of 1024: 512 → "512 B", 67_108_864 → "64 MiB". */
export function bytes(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** power;
  return `${power > 0 && scaled < 9.95 ? scaled.toFixed(1) : grouped(Math.round(scaled))} ${units[power]}`;
}

export function percent(value: number): string {
  return Number.isFinite(value) ? `${Math.round(value)} %` : "–";
}

/** "14:03:07" in the reader's own time zone; with the date when it is not today's. */
export function clockTime(at: number, now = Date.now()): string {
  const date = new Date(at);
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map((n) => String(n).padStart(2, "0")).join(":");
  return date.toDateString() === new Date(now).toDateString() ? time : `${isoDate(date)} ${time}`;
}

/**
 * Matches ids of `newId` (core/id.ts). They are random, so four characters of each end distinguish the ids of a list.
 */
const RANDOM_ID = /^([a-z]+_)([0-9a-z]{20})$/;
const WHOLE_CHARACTERS = 32;

/**
 * Shows "run_4k2…9xt1" and the whole id in the tooltip. A client's own id has a meaning, so it is cut only when it is
 * long.
 */
export function shortId(id: string): string {
  const [, prefix, random] = RANDOM_ID.exec(id) ?? [];
  if (random !== undefined) return `${prefix}${random.slice(0, 4)}…${random.slice(-4)}`;
  if (id.length <= WHOLE_CHARACTERS) return id;
  return `${id.slice(0, WHOLE_CHARACTERS / 2)}…${id.slice(1 - WHOLE_CHARACTERS / 2)}`;
}

/** One digit behind the point, and none below a whole number: 1.8, 12.3, 0. */
function decimal(value: number): string {
  return value === 0 ? "0" : value.toFixed(1);
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

function rest(value: number, unit: string): string {
  return value === 0 ? "" : ` ${value} ${unit}`;
}

function isoDate(date: Date): string {
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((n) => String(n).padStart(2, "0")).join("-");
}
