import { expect, test } from "vitest";
import { storageError } from "./errors.ts";

const failure = (code: string, message = "raw") => Object.assign(new Error(message), { code });

test.each([
  ["42501", /may not write/],
  ["42P01", /tables of another program/],
  ["42P07", /tables of another program/],
  ["42703", /tables of another program/],
  ["28P01", /refuses DATABASE_URL/],
  ["3D000", /refuses DATABASE_URL/],
  ["25006", /read-only/],
  ["53300", /no connection left/],
  ["ECONNREFUSED", /cannot be reached/],
])("the error %s of Postgres says what to do", (code, detail) => {
  expect(storageError(failure(code))).toMatchObject({
    code: "STORAGE_UNAVAILABLE",
    message: expect.stringMatching(detail),
  });
});

test("a socket that is not there yet may be there soon", () => {
  const error = Object.assign(failure("ENOENT", "connect ENOENT /tmp/.s.PGSQL.5432"), { syscall: "connect" });
  expect(storageError(error)).toMatchObject({ code: "STORAGE_UNAVAILABLE", retryAfterS: 5 });
});

test("a database without TLS is named as such", () => {
  expect(storageError(failure("", "The server does not support SSL connections"))).toMatchObject({
    message: expect.stringMatching(/no TLS/),
  });
});

test("an error of ours, or a bug, stays what it is", () => {
  const bug = failure("42601");
  expect(storageError(bug)).toBe(bug);
});
