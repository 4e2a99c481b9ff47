/** Reads from the headers of an answer what the Messages API says about our limits: `anthropic-ratelimit-*`. */
import { KINDS, type Kind } from "./allowance.ts";
import type { Told } from "./outcomes.ts";

const NAMES: Readonly<Record<Kind, string>> = { requests: "requests", input: "input-tokens", output: "output-tokens" };

/** Limits of the kinds that the headers name. */
export function limitsIn(headers: Headers): Told {
  const told: { -readonly [K in keyof Told]: Told[K] } = {};
  for (const kind of KINDS) {
    const limit = numberIn(headers, `anthropic-ratelimit-${NAMES[kind]}-limit`);
    const remaining = numberIn(headers, `anthropic-ratelimit-${NAMES[kind]}-remaining`);
    if (limit !== undefined && limit > 0 && remaining !== undefined) told[kind] = { limit, remaining };
  }
  return told;
}

function numberIn(headers: Headers, name: string): number | undefined {
  const value = Number.parseFloat(headers.get(name) ?? "");
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}
