/**
 * The command line of the simulator process, checked.
 * Called by main.ts; pure. Says every problem at once, so that nobody fixes them one start at a time.
 */
import { parseArgs } from "node:util";
import { DEFAULT_CONTEXT_TOKENS } from "./request.ts";
import type { SimulatorOptions } from "./server.ts";

export type Arguments = { readonly options: SimulatorOptions } | { readonly problems: readonly string[] };

const DEFAULTS = {
  host: "127.0.0.1",
  port: "0",
  ttft: "200",
  rate: "50",
  "context-tokens": String(DEFAULT_CONTEXT_TOKENS),
} as const;

/**
 * `--host`, `--port`, the default pace (`--ttft` in ms, `--rate` in tokens a second), and the window of every model
 * (`--context-tokens`).
 */
export function readArguments(argv: readonly string[]): Arguments {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        host: { type: "string", default: DEFAULTS.host },
        port: { type: "string", default: DEFAULTS.port },
        ttft: { type: "string", default: DEFAULTS.ttft },
        rate: { type: "string", default: DEFAULTS.rate },
        "context-tokens": { type: "string", default: DEFAULTS["context-tokens"] },
      },
    });
    return check(values);
  } catch (error) {
    return { problems: [error instanceof Error ? error.message : String(error)] };
  }
}

type Values = Readonly<Record<keyof typeof DEFAULTS, string>>;

function check({ host, port, ttft, rate, "context-tokens": contextTokens }: Values): Arguments {
  const problems: string[] = [];
  const number = (name: string, value: string, max: number): number => {
    if (!/^\d+$/.test(value) || Number(value) > max) {
      problems.push(`Expected \`--${name}\` to be a whole number from 0 to ${max}, got "${value}"`);
    }
    return Number(value);
  };
  const options = {
    host,
    port: number("port", port, 65_535),
    pace: { ttftMs: number("ttft", ttft, 3_600_000), tokensPerSecond: number("rate", rate, 1_000_000) },
    contextTokens: number("context-tokens", contextTokens, 100_000_000),
  };
  return problems.length > 0 ? { problems } : { options };
}
