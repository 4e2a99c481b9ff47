import { expect, test } from "vitest";
import { beforeQuestion } from "./said-before.ts";

const row = (role: "user" | "assistant", content: string, about: string | null = null) => ({
  role,
  content: JSON.stringify(content),
  about,
});

test.each([
  ["nothing else", []],
  ["an answer", [row("assistant", "answer", '{"model":"m"}')]],
  ["a compaction and an answer", [row("user", "", '{"compaction":{}}'), row("assistant", "answer", '{"model":"m"}')]],
])("the messages before the question of a run that has %s behind it", (_what, behind) => {
  const before = [row("user", "a"), row("assistant", "b", "{}")];
  expect(beforeQuestion([...before, row("user", "question"), ...behind])).toMatchObject([
    { role: "user", content: "a" },
    { role: "assistant", content: "b" },
  ]);
  expect(beforeQuestion([row("user", "question"), ...behind])).toEqual([]);
});
