/** The /sim line as a language: what it accepts, and that it never ignores a word. */
import { expect, test } from "vitest";
import { parseDirectives } from "./directives.ts";

test("an empty line asks for nothing", () => {
  expect(parseDirectives("")).toMatchObject({ tokens: undefined, calls: [], fault: undefined, loop: false });
});

test("every word lands in its place", () => {
  expect(parseDirectives("tokens=5 rate=0.5 ttft=10 thinking=2 loop drip")).toMatchObject({
    tokens: 5,
    rate: 0.5,
    ttftMs: 10,
    thinking: 2,
    loop: true,
    drip: true,
  });
});

test("input= belongs to the tool before it, and its JSON may hold blanks, braces and quotes", () => {
  const line = String.raw`tool=a input={"x": "} \" {", "y": {"z": [1, 2]}} tool=b  tool=c input={}`;
  expect(parseDirectives(line).calls).toEqual([
    { name: "a", input: { x: '} " {', y: { z: [1, 2] } } },
    { name: "b" },
    { name: "c", input: {} },
  ]);
});

test("args=, text= and a name in quotes are taken word for word", () => {
  const line = String.raw`tool="cal culate" args=null tool=b args="6 * 7" tool=c args=[1, {"]": "\""}] text=["\ud83d", "x y"]`;
  expect(parseDirectives(line)).toMatchObject({
    calls: [
      { name: "cal culate", args: "null" },
      { name: "b", args: '"6 * 7"' },
      { name: "c", args: String.raw`[1, {"]": "\""}]` },
    ],
    text: ["\ud83d", "x y"],
  });
});

test("silent= takes pings, one a second unless it says otherwise", () => {
  expect(parseDirectives("silent=2").fault).toEqual({ kind: "silent", ms: 2_000, pingEveryMs: undefined });
  expect(parseDirectives("silent=0.5 pings").fault).toMatchObject({ ms: 500, pingEveryMs: 1_000 });
  expect(parseDirectives("pings=50 silent=1").fault).toMatchObject({ pingEveryMs: 50 });
});

test("status= knows the API's type for it", () => {
  expect(parseDirectives("status=429 retry_after=2 times=3")).toMatchObject({
    fault: { kind: "status", type: "rate_limit_error", retryAfterSeconds: 2 },
    times: 3,
  });
});

test.each([
  "tokens",
  "tokens=",
  "tokens=-1",
  "tokens=1e3",
  "tokens=1.5",
  "tokens=99999999",
  "rate=fast",
  "stall=1",
  "status=200",
  "error=oops",
  "tool=",
  "tool=a/b",
  "input={}",
  "tool=a input={bad}",
  "tool=a input={",
  "tool=a input=[1]",
  "args=1",
  "text=7",
  "text=[1]",
  "stop=later",
  "usage=some",
  "ids=unique",
  "silent=-1",
  "pings=0",
  "server_tool=Web",
  "times=0",
  "constructor",
  "nonsense",
])("%s is refused by name", (line) => {
  const word = line.replace("tool=a ", "");
  expect(() => parseDirectives(line)).toThrow(`/sim does not know "${word}". Allowed words: tokens=N`);
});

test.each([
  ["stall cut", "one fault at a time, got stall and cut"],
  ["times=2", "name one"],
  ["cut retry_after=1", "goes with status="],
  ["stall pings", "goes with silent="],
])("%s makes no sense and is refused", (line, message) => {
  expect(() => parseDirectives(line)).toThrow(message);
});
