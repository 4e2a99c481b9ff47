import { expect, test } from "vitest";
import { AppError } from "../core/errors.ts";
import { awaitedBy } from "./awaited.ts";

const at = (url: string) => ({ url, listenUrl: url, pool: 2 });
const away = (cause?: Error) => new AppError("STORAGE_UNAVAILABLE", "It cannot be reached.", { cause });

test.each([
  ["postgres://ana:secret@db.internal/evenkeel", "db.internal:5432"],
  ["postgres://ana:secret@[::1]:6000/evenkeel?sslmode=require", "[::1]:6000"],
  ["postgres://ana:secret@db/evenkeel?host=/run/postgresql", "/run/postgresql"],
  ["postgres://ana:secret@db/evenkeel?host=other&port=1", "other:1"],
])("the line names where %s leads to, and no user", (url, place) => {
  const line = awaitedBy(away(new Error("connect ECONNREFUSED")), at(url));
  expect(line).toBe(`waiting for Postgres at ${place}: It cannot be reached. (connect ECONNREFUSED)`);
});

test("the reason is the code where the cause has no message", () => {
  const refused = Object.assign(new AggregateError([], ""), { code: "ECONNREFUSED" });
  expect(awaitedBy(away(refused), at("postgres://db/x"))).toContain("reached. (ECONNREFUSED)");
  expect(awaitedBy(away(), at("postgres://db/x"))).toMatch(/reached\.$/);
});

test("other errors, and those of a file, keep their stack", () => {
  expect(awaitedBy(new Error("a bug"), at("postgres://db/x"))).toBeUndefined();
  expect(awaitedBy(away(), null)).toBeUndefined();
});
