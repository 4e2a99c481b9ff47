/** Which tools a message names, and the inputs that schemas get from its words. */
import { expect, test } from "vitest";
import { namedTools } from "./calls.ts";
import { inputFor } from "./input.ts";
import type { Tool } from "./tools-field.ts";

const fill = (properties: object, text: string, rest = text): object =>
  inputFor({ type: "object", properties, required: Object.keys(properties) }, { text, rest });

const tools = (...names: string[]): Tool[] => names.map((name) => ({ name, schema: {} }));

test.each([
  ["calculate 2*(3+4)", "2*(3+4)"],
  ["what is 17 * 3?", "17 * 3"],
  ["I have 3 apples, so 10 / 4 is", "10 / 4"],
  ["(see 1.5+2) please", "1.5+2"],
  ["calculate -3+4.", "-3+4"],
  ["calculate 2*(3+4", "2*(3+4)"],
])("the arithmetic of %j is %j", (text, expression) => {
  expect(fill({ expression: { type: "string" } }, text)).toEqual({ expression });
});

test("an expression without arithmetic is the words behind the tool's name", () => {
  expect(fill({ expression: { type: "string" } }, "calculate pi", "pi")).toEqual({ expression: "pi" });
});

const HOSTILE = ["1(", "-", "(", ")", " ", ".", "1 ", "A", "A/", "Ab/Cd", "Ab/Cd ", "\n", "UTC", "^"].flatMap((atom) =>
  ["", "1", ")", "!"].map((end) => [atom, end] as const),
);

test.each(HOSTILE)("inputs are found in linear time in a megabyte of %j with %j behind it", (atom, end) => {
  const text = `calculate (${atom.repeat(1_000_000 / atom.length)}${end}`;
  const started = performance.now();

  fill({ expression: { type: "string" }, timezone: { type: "string" }, count: { type: "number" } }, text);
  namedTools(text, tools("calculate", "a", "utc"));

  // [Takes a tenth of this limit; with one quadratic expression it takes minutes.]
  expect(performance.now() - started).toBeLessThan(1_000);
});

test.each([
  ["current time in Asia/Tokyo", "Asia/Tokyo"],
  ["current time in America/Argentina/Buenos_Aires now", "America/Argentina/Buenos_Aires"],
  ["And/Or what", "UTC"],
])("the timezone of %j is %j", (text, timezone) => {
  expect(fill({ timezone: { type: "string" } }, text)).toEqual({ timezone });
});

test("an optional timezone is filled when the message names one, other optional properties never", () => {
  const properties = { timezone: { type: "string" }, format: { type: "string" } };
  expect(inputFor({ properties }, { text: "at Europe/Paris", rest: "" })).toEqual({ timezone: "Europe/Paris" });
  expect(inputFor({ properties }, { text: "now", rest: "" })).toEqual({});
});

test("numbers come from the message in order, within the schema's limits, or are 1", () => {
  expect(fill({ a: { type: "number" }, b: { type: "integer" } }, "add 2.5 and 3.9")).toEqual({ a: 2.5, b: 3 });
  expect(fill({ a: { type: "integer", minimum: 5 } }, "none")).toEqual({ a: 5 });
  expect(fill({ a: { type: "number" }, b: { type: "number" } }, "only 7")).toEqual({ a: 7, b: 7 });
});

test("enums, booleans, lists, objects and strings get a value of their type", () => {
  const properties = {
    unit: { enum: ["km", "mile"] },
    fast: { type: "boolean" },
    names: { type: "array", items: { type: "string" } },
    place: { type: "object", properties: { city: { type: ["string", "null"] } }, required: ["city"] },
    note: { anyOf: [{ type: "string", maxLength: 3 }, { type: "null" }] },
    fixed: { const: 9 },
  };
  expect(fill(properties, "go to Rome", "Rome")).toEqual({
    unit: "km",
    fast: true,
    names: ["Rome"],
    place: { city: "Rome" },
    note: "Rom",
    fixed: 9,
  });
});

test("a schema that contains itself is filled to a limit", () => {
  const schema: Record<string, unknown> = { type: "array" };
  schema["items"] = schema;
  expect(JSON.stringify(fill({ deep: schema }, "x"))).toBe('{"deep":[[[[["x"]]]]]}');
});

test("tools are named with blanks or underscores, in any case, in the order of the message", () => {
  const mentions = namedTools("Get Weather then read_file: a.txt", tools("read_file", "get_weather", "other"));
  expect(mentions.map(({ tool, rest }) => [tool.name, rest])).toEqual([
    ["get_weather", "then read_file: a.txt"],
    ["read_file", "a.txt"],
  ]);
});

test("the longer name wins over one inside it", () => {
  expect(namedTools("the current time", tools("time", "current_time")).map(({ tool }) => tool.name)).toEqual([
    "current_time",
  ]);
});
