import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AppError, ERROR_CODES, hasCode, statusOf, titleOf, toAppError } from "./errors.ts";

test("an error carries its code, what to do, and the status of its code", () => {
  const cause = new Error("below");
  const error = new AppError("OVERLOADED", "Try again.", { cause, retryAfterS: 5, runId: "run_1" });

  expect(error).toMatchObject({
    code: "OVERLOADED",
    status: 503,
    message: "Try again.",
    retryAfterS: 5,
    runId: "run_1",
  });
  expect(error.cause).toBe(cause);
  expect(titleOf("OVERLOADED")).toBe("Server is overloaded");
});

test("a code is recognised on errors that crossed a process, and on nothing else", () => {
  expect(hasCode(new AppError("LEASE_LOST", ""), "LEASE_LOST")).toBe(true);
  expect(hasCode({ code: "LEASE_LOST" }, "LEASE_LOST")).toBe(true);
  for (const other of [{ code: "INTERNAL" }, new Error("LEASE_LOST"), "LEASE_LOST", null, undefined]) {
    expect(hasCode(other, "LEASE_LOST")).toBe(false);
  }
});

test("an AppError passes unchanged; any other value becomes INTERNAL, hides its text and keeps its cause", () => {
  const ours = new AppError("NOT_FOUND", "No such thing.");
  expect(toAppError(ours)).toBe(ours);

  for (const thrown of [new Error("secret"), "secret", undefined]) {
    const error = toAppError(thrown);
    expect(error).toMatchObject({ code: "INTERNAL", status: 500, cause: thrown });
    expect(error.message).not.toContain("secret");
  }
});

test("docs/errors.md has every code, with the status that it answers with, and no other", () => {
  const rows = readFileSync("docs/errors.md", "utf8").matchAll(/^\| (`[A-Z_`, ]+`) \| (\d{3}) \|/gm);
  const documented = [...rows].flatMap(([, codes = "", status]) =>
    [...codes.matchAll(/[A-Z_]+/g)].map(([code]) => [code, Number(status)] as const),
  );
  // Never shown to a client.
  const shown = ERROR_CODES.filter((code) => code !== "LEASE_LOST");

  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(shown.map((code) => [code, statusOf(code)])));
});
