import { expect, test } from "vitest";
import { AppError, type ErrorCode } from "../core/errors.ts";
import type { Log } from "../observe/log.ts";
import { reportFailure } from "./report-failure.ts";

test.each<[ErrorCode, string]>([
  ["INTERNAL", "error"],
  ["STORAGE_UNAVAILABLE", "error"],
  ["STORAGE_FULL", "error"],
  ["OVERLOADED", "debug"],
  ["SHUTTING_DOWN", "debug"],
  ["MODEL_UNAVAILABLE", "debug"],
  ["INVALID_REQUEST", "debug"],
])("%s is logged as %s, with what was asked", (code, level) => {
  const lines: [string, object][] = [];
  const log = Object.fromEntries(
    ["error", "debug"].map((name) => [name, (fields: object) => lines.push([name, fields])]),
  ) as unknown as Log;

  const known = reportFailure(log, new AppError(code, "Why."), { url: "/x" });

  expect(known.code).toBe(code);
  expect(lines).toEqual([[level, expect.objectContaining({ code, url: "/x" })]]);
});
