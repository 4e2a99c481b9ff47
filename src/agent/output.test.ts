import { expect, test } from "vitest";
import { outputOf } from "./output.ts";

const text = { type: "string" };

/** Checking takes 2^depth steps. */
function doubling(kind: "anyOf" | "allOf", depth: number): Record<string, unknown> {
  const definitions: Record<string, unknown> = { a0: { type: kind === "anyOf" ? "number" : "object" } };
  for (let level = 1; level <= depth; level += 1) {
    const below = { $ref: `#/$defs/a${level - 1}` };
    definitions[`a${level}`] = { [kind]: [below, below] };
  }
  return { type: "object", properties: { x: { $ref: `#/$defs/a${depth}` } }, $defs: definitions };
}

function checked(reply: string, schema: Record<string, unknown>) {
  return outputOf(reply, { type: "json_schema", schema });
}

test.each(["anyOf", "allOf"] as const)("a schema whose `%s` take too long to check is a misfit soon", (kind) => {
  const { stackTraceLimit } = Error;

  expect(checked('{"x":{}}', doubling(kind, 24))).toEqual({ reason: expect.stringContaining("too many alternatives") });

  expect(Error.stackTraceLimit).toBe(stackTraceLimit);
});

function nested(levels: number): string {
  return `${"[".repeat(levels)}${"]".repeat(levels)}`;
}

test("a reply that is nested too deeply to be checked or stored is a misfit", () => {
  const list = { type: "array", items: { $ref: "#/$defs/list" } };

  for (const schema of [{ ...list, $defs: { list } }, { type: "array" }]) {
    expect(checked(nested(500), schema)).toHaveProperty("output");
    expect(checked(nested(501), schema)).toEqual({ reason: "it is nested more than 500 levels deep" });
    expect(checked(nested(100_000), schema)).toEqual({ reason: "it is nested more than 500 levels deep" });
  }
});

test("alternatives that are checked in time hold", () => {
  expect(checked('{"x":{}}', doubling("allOf", 4))).toEqual({ output: { x: {} } });
  expect(checked('{"x":{}}', doubling("anyOf", 4))).toEqual({ reason: expect.stringContaining("at x") });
});

test("a long reply is checked in time", () => {
  const row = { name: "a name", values: [1, 2, 3] };
  const properties = { name: text, values: { type: "array", items: { type: "integer" } } };
  const reply = JSON.stringify(Array.from({ length: 20_000 }, () => row));

  expect(checked(reply, { type: "array", items: { type: "object", properties } })).toHaveProperty("output");
});
