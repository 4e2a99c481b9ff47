import { expect, test } from "vitest";
import { portProblem, TakenError } from "./start-checks.ts";

const errorOf = (code: string) => Object.assign(new Error(`listen ${code}`), { code });

test.each([
  { code: "EADDRINUSE", port: 8000, told: "Stop what uses it, or set PORT to another", isTaken: true },
  { code: "EADDRINUSE", port: 80, told: "Stop what uses it", isTaken: true },
  { code: "EACCES", port: 80, told: "ports below 1024 are for root", isTaken: false },
  { code: "EACCES", port: 8000, told: "Set PORT to another", isTaken: false },
  { code: "EADDRNOTAVAIL", port: 8000, told: "HOST 192.0.2.1 cannot be used", isTaken: false },
])("$code on port $port says what to do, and whether trying again may help", ({ code, port, told, isTaken }) => {
  const problem = portProblem(errorOf(code), { host: "192.0.2.1", port });

  expect(problem.message).toContain(told);
  expect(problem instanceof TakenError).toBe(isTaken);
});
