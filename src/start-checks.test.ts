import { expect, test } from "vitest";
import { storageError as ofPostgres } from "./engine/postgres/errors.ts";
import { storageError as ofSqlite } from "./engine/sqlite/connection.ts";
import { exitCodeOf, portProblem, TakenError } from "./start-checks.ts";

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

const sqliteError = (errcode: number) => ofSqlite(Object.assign(new Error("raw"), { errcode }));

test.each<[string, unknown, number]>([
  ["a port that is taken", new TakenError("taken"), 75],
  ["a database that went away after the checks", ofPostgres(errorOf("ECONNREFUSED")), 75],
  ["a database that shuts down", ofPostgres(errorOf("57P01")), 75],
  ["a password that the database refuses", ofPostgres(errorOf("28P01")), 78],
  ["a database file that another process holds", sqliteError(5), 75],
  ["a disk that fails", sqliteError(10), 75],
  ["a corrupt database file", sqliteError(11), 78],
  ["a file that is no database", sqliteError(26), 78],
  ["a folder that is read-only", sqliteError(8), 78],
  ["a broken configuration", new Error("agents.ts:3: Expression expected"), 78],
])("a start that %s ends has an exit code that says whether another try may help", (_title, error, code) => {
  expect(exitCodeOf(error)).toBe(code);
});
