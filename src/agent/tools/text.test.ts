import * as fc from "fast-check";
import { expect, test } from "vitest";
import { asText, reasonOf } from "./text.ts";

test("every JSON value is written as JSON.stringify writes it", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      fc.pre(typeof value !== "string");
      expect(asText(value)).toBe(JSON.stringify(value).toWellFormed());
    }),
  );
});

test.each([
  [undefined, ""],
  [() => 1, ""],
  ["plain", "plain"],
  [{ a: undefined, b: [undefined, () => 1], c: Symbol("c") }, '{"b":[null,null]}'],
  [[new Date(0), new URL("http://localhost/")], '["1970-01-01T00:00:00.000Z","http://localhost/"]'],
  [{ many: 2n ** 70n }, '{"many":"1180591620717411303424"}'],
  [Buffer.from("grüße"), "grüße"],
  [{ file: new TextEncoder().encode("text") }, '{"file":"text"}'],
  [new Uint8Array([0xff, 0xfe]), "[2 bytes that are not text: return text, or a description of the data]"],
  [Number.NaN, "null"],
  [new TextEncoder().encode("bytes").buffer, "bytes"],
  [Float64Array.of(1, 2.5), "[1,2.5]"],
  [{ sizes: Int16Array.of(-1, 3) }, '{"sizes":[-1,3]}'],
  [{ found: new Map([["a", 1]]), seen: new Set([1, "b"]) }, '{"found":{"a":1},"seen":[1,"b"]}'],
  [new Map([[1, { x: 2 }]]), '[[1,{"x":2}]]'],
  [new Headers({ "Content-Type": "text/plain" }), '{"content-type":"text/plain"}'],
  [new URLSearchParams("a=1&a=2"), '[["a","1"],["a","2"]]'],
  [new Map(), "{}"],
  [new Set([["a", 1]]), '[["a",1]]'],
  [Object.assign((async function* () {})(), { data: [1] }), '{"data":[1]}'],
  [[1, 2].values().map((value) => value * 2), "[2,4]"],
  [new Error("returned"), "returned"],
  [{ error: Object.assign(new Error("no such file"), { code: "ENOENT" }) }, '{"error":"no such file"}'],
  [/a+/g, '{"regular_expression":"/a+/g"}'],
])("case %#: a value becomes the text that a reader expects", (value, text) => {
  expect(asText(value)).toBe(text);
});

test("a value that contains itself is shown as circular, and one that is seen twice is not", () => {
  const shared = { x: 1 };
  const loop: Record<string, unknown> = { a: shared, b: shared };
  loop["self"] = loop;

  expect(asText(loop)).toBe('{"a":{"x":1},"b":{"x":1},"self":"[circular]"}');
});

test("a value nested ten thousand deep is cut at a hundred", () => {
  let nested: unknown = 1;
  for (let depth = 0; depth < 10_000; depth += 1) nested = [nested];

  expect(asText(nested)).toBe(`${"[".repeat(100)}"…"${"]".repeat(100)}`);
});

test.each([
  ["a Response", () => new Response("x"), "return await response.text()"],
  ["a Blob", () => new Blob(["x"]), "return await blob.text()"],
  ["a stream", () => new Response("x").body, "collect what it yields"],
  [
    "an async generator",
    async function* () {
      yield await Promise.resolve(1);
    },
    "collect what it yields",
  ],
  ["a field with a promise", () => ({ later: Promise.resolve(1) }), "await it"],
])("%s is refused with what to do, because JSON would show nothing of it", (_, make, remedy) => {
  expect(() => asText(make())).toThrow(remedy);
});

function* forEver() {
  for (;;) yield "more";
}

test("a generator without an end is read as far as it is shown", () => {
  expect(asText({ list: forEver() })).toMatch(/^\{"list":\["more",.*\[cut: more\]$/s);
});

const LIMIT = 256 * 1024;

test.each([
  ["a string", () => Buffer.alloc(60_000_000, "x").toString("latin1"), `[cut: ${60_000_000 - LIMIT} more characters]`],
  ["text in bytes", () => Buffer.alloc(50_000_000, "é"), "[cut: more]"],
  ["an object with one long string", () => ({ text: Buffer.alloc(60_000_000, "x").toString("latin1") }), "[cut: more]"],
  ["a long array", () => Array.from({ length: 3_000_000 }, (_, index) => ({ index })), "[cut: more]"],
  // oxlint-disable-next-line unicorn/no-new-array -- it has no elements, which is the point
  ["an array of holes", () => new Array(2 ** 32 - 1), "[cut: more]"],
])("%s is cut while it is made into text, in little time and memory", (_, make, mark) => {
  const value = make();
  asText({ warm: "up" });
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  // CPU time: others may use the machine as well.
  const before = process.threadCpuUsage();

  const text = asText(value);

  const { user, system } = process.threadCpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(100);
  const after = process.memoryUsage();
  expect(after.heapUsed + after.arrayBuffers - heapUsed - arrayBuffers).toBeLessThan(100_000_000);
  expect(text.endsWith(`\n${mark}`)).toBe(true);
  expect(text.length).toBeLessThan(LIMIT + 100);
  expect(text.isWellFormed()).toBe(true);
});

test("a cut through a character leaves no half of it", () => {
  const text = asText(`x${"🙂".repeat(LIMIT)}`);

  expect(text.isWellFormed()).toBe(true);
  expect(text.slice(0, 3)).toBe("x🙂");
});

test("an error that is its own cause is told", () => {
  const error = new Error("round");
  error.cause = error;
  expect(reasonOf(error, "all")).toBe("round");
});

const angry = new Proxy(
  {},
  {
    get() {
      throw new Error("no");
    },
    getPrototypeOf() {
      throw new Error("no");
    },
  },
);

test.each([
  [null, "null was thrown."],
  [undefined, "undefined was thrown."],
  [0, "0 was thrown."],
  ["", "An empty string was thrown."],
  ["just text", "just text"],
  [new Error("why"), "why"],
  [new TypeError(""), "TypeError was thrown, without a message."],
  [new Error("Payment failed.", { cause: new Error("http://internal") }), "Payment failed."],
  [
    new TypeError("fetch failed", {
      cause: new AggregateError([new Error("connect ECONNREFUSED ::1:9"), new Error("b")]),
    }),
    "fetch failed: connect ECONNREFUSED ::1:9",
  ],
  [{ message: "like an error" }, "like an error"],
  [{ code: 7 }, '{"code":7} was thrown.'],
  [Object.create(null), "{} was thrown."],
  [Symbol("s"), "Symbol(s) was thrown."],
  [
    {
      toJSON: () => {
        throw new Error("no");
      },
    },
    "Something was thrown that cannot be shown.",
  ],
  [
    {
      toString: () => {
        throw new Error("no");
      },
    },
    "{} was thrown.",
  ],
])("case %#: what is thrown is told", (thrown, reason) => {
  expect(reasonOf(thrown)).toBe(reason);
});

test("a Proxy that refuses everything is told too", () => {
  expect(reasonOf(angry)).toBe("Something was thrown that cannot be shown.");
});
