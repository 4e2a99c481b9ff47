import { expect, test } from "vitest";
import { saidBefore } from "./said-elsewhere.ts";

test("system messages count as the user's, and empty ones are left out", () => {
  const said = ["system", "developer", "user", "assistant"].map((role) => ({ role, text: role }));
  expect(saidBefore([...said, { role: "user", text: " \n" }])).toEqual([
    { role: "user", content: "system" },
    { role: "user", content: "developer" },
    { role: "user", content: "user" },
    { role: "assistant", content: "assistant" },
  ]);
});

test.each(["tool", "", "User", ...Object.getOwnPropertyNames(Object.prototype)])(
  "a message of the role %j, which is none of a conversation, is left out",
  (role) => {
    expect(saidBefore([{ role, text: "Hello" }])).toEqual([]);
  },
);
