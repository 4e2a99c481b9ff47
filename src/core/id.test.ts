import { expect, test } from "vitest";
import { CLIENT_ID, newId, type IdPrefix } from "./id.ts";

test.each<IdPrefix>(["run", "thread", "msg", "req"])("a new id says that it is of a %s", (prefix) => {
  expect(newId(prefix)).toMatch(new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{20}$`));
});

test("new ids differ, and use every letter there is", () => {
  const ids = new Set(Array.from({ length: 1_000 }, () => newId("run")));

  expect(ids.size).toBe(1_000);
  expect(new Set([...ids].join("").replaceAll("run_", "")).size).toBe(32);
});

test("a new id is one that a client may choose too", () => {
  expect(CLIENT_ID.test(newId("run"))).toBe(true);
});

test.each(["a", "0", "A.b_c:d-e", "x".repeat(128)])("%s may be chosen", (id) => {
  expect(CLIENT_ID.test(id)).toBe(true);
});

test.each(["", "-a", ".", "..", "_a", "a b", "a/b", "a\n", "a\0", "a%20", "ä", "a?b", "<a>", "x".repeat(129)])(
  "%j may not be chosen",
  (id) => {
    expect(CLIENT_ID.test(id)).toBe(false);
  },
);
