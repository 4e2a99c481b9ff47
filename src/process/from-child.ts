/**
 * Checks what a child says. The primary believes nothing it hears: tools run in agents and can write anything into the
 * channel. `Child` calls `readFromChild` for every message and drops those that are none of ours.
 */
import { CHILD_KINDS } from "../api/system.ts";
import { MAX_NOTES_CHARACTERS, type FromChild, type Gauges, type Vitals } from "./protocol.ts";

/** Further gauges of a child are dropped. A worker has about 20, and one for each API key that was used. */
const MAX_GAUGES = 256;
/** The part after a colon is the name of a key. */
const GAUGE_NAME = /^[a-z][a-z0-9_.]{0,63}(:[A-Za-z0-9_-]{1,64})?$/;
const MAX_DETAIL_CHARACTERS = 2_000;
const MAX_PORT = 65_535;
const MAX_REQUEST_CHARACTERS = 200;

/** @returns undefined when it is no message of ours */
export function readFromChild(message: unknown): FromChild | undefined {
  if (!isRecord(message)) return undefined;
  switch (message["type"]) {
    case "ready":
      return readReady(message["port"]);
    case "failed":
      return readFailed(message["detail"]);
    case "heartbeat":
      return readHeartbeat(message);
    case "notes":
      return readNotes(message["notes"]);
    case "request":
      return readRequest(message["request"]);
    default:
      return undefined;
  }
}

function readReady(port: unknown): FromChild | undefined {
  if (port === undefined) return { type: "ready" };
  const isPort = isFigure(port) && Number.isInteger(port) && port <= MAX_PORT;
  return isPort ? { type: "ready", port } : undefined;
}

function readFailed(detail: unknown): FromChild | undefined {
  return typeof detail === "string" ? { type: "failed", detail: detail.slice(0, MAX_DETAIL_CHARACTERS) } : undefined;
}

/**
 * A heartbeat with one wrong figure is dropped as a whole, because its other figures cannot be trusted
 * either.
 */
function readHeartbeat({ vitals, gauges }: Record<string, unknown>): FromChild | undefined {
  const checked = readVitals(vitals);
  return checked && isRecord(gauges) ? { type: "heartbeat", vitals: checked, gauges: readGauges(gauges) } : undefined;
}

function readVitals(vitals: unknown): Vitals | undefined {
  if (!isRecord(vitals) || !isRecord(vitals["lag_ms"])) return undefined;
  const { rss_bytes, cpu_percent, busy_percent, cpu_granted_percent, in_flight } = vitals;
  const { p50, p99 } = vitals["lag_ms"];
  if (!isFigure(rss_bytes) || !isFigure(cpu_percent) || !isFigure(in_flight)) return undefined;
  if (!isFigure(cpu_granted_percent)) return undefined;
  if (!isFigure(busy_percent) || !isFigure(p50) || !isFigure(p99)) return undefined;
  return { rss_bytes, cpu_percent, busy_percent, cpu_granted_percent, in_flight, lag_ms: { p50, p99 } };
}

/** A gauge that is not a number is left out, as if the child could not tell it. */
function readGauges(gauges: Record<string, unknown>): Gauges {
  const known = Object.entries(gauges).filter(
    (entry): entry is [string, number] => GAUGE_NAME.test(entry[0]) && Number.isFinite(entry[1]),
  );
  return Object.fromEntries(known.slice(0, MAX_GAUGES));
}

/**
 * Notes that are too long, or that hold a value that is no text, are dropped as a whole; the previous notes
 * stay.
 */
function readNotes(notes: unknown): FromChild | undefined {
  if (!isRecord(notes)) return undefined;
  const texts = Object.entries(notes).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  const characters = texts.flat().reduce((sum, text) => sum + text.length, 0);
  if (texts.length < Object.keys(notes).length || characters > MAX_NOTES_CHARACTERS) return undefined;
  return { type: "notes", notes: Object.fromEntries(texts) };
}

function readRequest(request: unknown): FromChild | undefined {
  if (!isRecord(request)) return undefined;
  const { name, about } = request;
  const to = [...CHILD_KINDS, "primary" as const].find((kind) => kind === request["to"]);
  if (!to || !isShort(name) || !isShort(about)) return undefined;
  return { type: "request", request: { to, name, about } };
}

function isShort(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_REQUEST_CHARACTERS;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A number as vitals have them: finite and not negative. */
function isFigure(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
