import type { Token } from "marked";
import { describe, expect, test } from "vitest";
import { HOSTILE } from "./hostile.ts";
import { lex, LiveLexer, type Lexed } from "./lex.ts";

const SAMPLE = `# Title

Lorem **ipsum** \`code\` [link](https://a.example) and so on
over two lines.

- one
- two

  with a paragraph

    deeper code
- three

1. first
2. second

> quoted
lazy

\`\`\`js
const a = 1;

# not a heading
\`\`\`

| a | b |
|---|---|
| 1 | **2** |

Setext
======

    indented code

<div>
raw
</div>

***

the end
`;

function depthOf(tokens: readonly Token[]): number {
  const below = tokens.map((token) => depthOf([...((token as { tokens?: Token[] }).tokens ?? []), ...itemsOf(token)]));
  return 1 + Math.max(0, ...below);
}

function itemsOf(token: Token): Token[] {
  return token.type === "list" ? ((token as { items: Token[] }).items ?? []) : [];
}

function withoutSpace(tokens: readonly Token[]): Token[] {
  return tokens.filter(({ type }) => type !== "space");
}

/** The types of the first paragraph's tokens. */
function inlineTypes(text: string): string[] {
  return (lex(text)[0] as { tokens: Token[] }).tokens.map(({ type }) => type);
}

/** The blocks of the message, the tokens of the last block, and the text below it. */
function shown({ tokens, rest }: Lexed): unknown[] {
  const parts = (tokens.at(-1) as { tokens?: Token[] }).tokens?.map(({ raw }) => raw);
  return [tokens.map(({ type, raw }) => ({ type, raw })), parts, rest];
}

/** The text that is shown when `second` comes too soon after `first` to be lexed. */
function resting(first: string, second: string): unknown[] {
  const lexer = new LiveLexer();
  lexer.update(first, 0);
  return shown(lexer.update(first + second, 0.001));
}

/** A generator of numbers that are the same in each run. */
function randoms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("bounds", () => {
  test.each([
    ["quotes", "> ".repeat(5_000)],
    ["lists", "- ".repeat(5_000)],
    ["quotes and lists", "> - ".repeat(5_000)],
    ["emphasis", "*a **b ".repeat(5_000) + "c** d*".repeat(5_000)],
    ["strikes", "~~a ~b ".repeat(5_000)],
    ["brackets", "[".repeat(20_000)],
    ["links in links", "[".repeat(3_000) + "a" + "](https://b.example)".repeat(3_000)],
    ["images", "![".repeat(10_000)],
    ["underscores", "_a__b".repeat(10_000)],
    ["angles", "<".repeat(20_000)],
    ["open tags", "<a ".repeat(20_000)],
    ["backticks", "`a``".repeat(10_000)],
    ["a word before an @", `${"a.".repeat(24_000)}@`],
    ["many words before an @", `${"a".repeat(290)}@`.repeat(170)],
    ["a table of few words and many cells", `${"|a".repeat(2_000)}\n${"|-".repeat(2_000)}\n${"|b\n".repeat(5_000)}`],
    ["many tables", `${"|a".repeat(100)}\n${"|-".repeat(100)}\n${"|b\n".repeat(100)}\n`.repeat(700)],
    ["tables in quotes", `> ${"|a".repeat(100)}\n> ${"|-".repeat(100)}\n${"> |b\n".repeat(100)}\n`.repeat(500)],
  ])("deeply nested %s neither overflow the stack nor take long", (_, text) => {
    const began = performance.now();
    const tokens = lex(`${text}x`);
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(depthOf(tokens)).toBeLessThan(120);
    expect(tokens.map(({ raw }) => raw).join("")).toContain("x");
  });

  test("a table whose cells are all there is a table, up to 20,000 of them", () => {
    const row = `${"| x ".repeat(10)}|\n`;
    const table = (rows: number) => `${row}${"|---".repeat(10)}|\n${row.repeat(rows)}`;
    expect(lex(table(1_500)).map(({ type }) => type)).toEqual(["table"]);
    expect(lex(table(2_500)).map(({ type }) => type)).not.toContain("table");
  });

  test("an address is a link all the same, and a long word without one hides nothing of its paragraph", () => {
    expect(inlineTypes("write to a.b@c.example now")).toContain("link");
    expect(inlineTypes(`**bold** ${"x".repeat(5_000)} a@b.example`)).toEqual(["strong", "text", "link"]);
  });

  test("a message above the bound is one plain text", () => {
    expect(lex("**a** ".repeat(100_000)).map(({ type }) => type)).toEqual(["text"]);
  });
});

describe("a message that grows", () => {
  test("comes out as if it had been lexed at once, however it was cut", () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const random = randoms(seed);
      const lexer = new LiveLexer();
      let length = 0;
      let now = 0;
      while (length < SAMPLE.length) {
        length = Math.min(SAMPLE.length, length + 1 + Math.floor(random() * 12));
        lexer.update(SAMPLE.slice(0, length), (now += 10_000));
      }
      expect(withoutSpace(lexer.update(SAMPLE, now + 10_000).tokens)).toEqual(withoutSpace(lex(SAMPLE)));
    }
  });

  test("takes back a block that turns out to belong to the one before it", () => {
    const lexer = new LiveLexer();
    // A quote and a list, until the next letter makes it one quote of two lines.
    expect(lexer.update("> q\n-", 0).tokens).toHaveLength(2);
    expect(lexer.update("> q\n-x", 10_000).tokens).toEqual([...lex("> q\n-x")]);
  });

  test("never loses or doubles a character", () => {
    const text = HOSTILE.join("\n\n");
    const lexer = new LiveLexer();
    for (let length = 1; length <= text.length; length += 7) {
      const part = text.slice(0, length);
      const { tokens, rest } = lexer.update(part, length * 10_000);
      // marked ends an unfinished list item with a line break of its own.
      expect((tokens.map(({ raw }) => raw).join("") + rest).trimEnd()).toBe(part.trimEnd());
    }
  });

  test("keeps the tokens of settled blocks as they are", () => {
    const lexer = new LiveLexer();
    const first = lexer.update("a\n\nb\n\nc\n\nd", 0).tokens;
    const second = lexer.update("a\n\nb\n\nc\n\nd and more", 10_000).tokens;
    expect(second[0]).toBe(first[0]);
    expect(second.at(-1)?.raw).toBe("d and more");
  });

  test("shows new text at once even while lexing rests", () => {
    const lexer = new LiveLexer();
    lexer.update("- a\n".repeat(20_000), 0);
    const { rest } = lexer.update("- a\n".repeat(20_000) + "- news", 0.001);
    expect(rest).toBe("- news");
  });

  test("goes on in its paragraph while lexing rests, and below anything else", () => {
    expect(resting("**a** b", " **c")).toEqual([
      [{ type: "paragraph", raw: "**a** b **c" }],
      ["**a**", " b", " **c"],
      "",
    ]);
    expect(resting("a\n", "b")).toEqual([[{ type: "paragraph", raw: "a\nb" }], ["a", "\nb"], ""]);
    expect(resting("# a", "b").at(-1)).toBe("b");
    expect(resting("x".repeat(4_000), "y").at(-1)).toBe("y");
  });

  test("starts anew when another message takes its place", () => {
    const lexer = new LiveLexer();
    lexer.update("a\n\nb\n\nc\n\nd", 0);
    expect(lexer.update("x", 10_000).tokens.map(({ raw }) => raw)).toEqual(["x"]);
  });

  test("of 100 KB costs less than a tenth of a frame per update", () => {
    const paragraph = "Lorem **ipsum** dolor `sit` amet [x](https://a.example), consectetur elit.\n\n- a\n- b\n\n";
    const text = paragraph.repeat(Math.ceil(102_400 / paragraph.length));
    const lexer = new LiveLexer();
    const updates = 2_000;
    const began = performance.now();
    for (let n = 1; n <= updates; n += 1) lexer.update(text.slice(0, (text.length * n) / updates), n * 16);
    const perUpdateMs = (performance.now() - began) / updates;
    // [0.05–0.2 ms on a busy 2-core machine]
    expect(perUpdateMs).toBeLessThan(1.6);
  });
});

describe("half a megabyte that is made to take long", () => {
  /**
   * With each kind, marked read the rest of the text again and again: 20,000 characters took up to 2.5 s, and the cost
   * grew with the square.
   */
  const KINDS: Readonly<Record<string, string>> = {
    "lines of one list item": "b\n",
    "items with lazy lines": "- a\nb\n",
    "lists in quotes with lazy lines": "> - a\nb\n",
    "exclamation marks": "!",
    "items without text": "-\n",
    "signs at the end of a URL": "?",
    "entities at the end of a URL": "&a;",
    "brackets at the end of a URL": ")",
    "unfinished links": "[a](<",
    "unfinished addresses": "a@b.",
    "short paragraphs": "a\n\n",
    "nested bullets": "  - a\nb\n",
  };

  test.each(Object.entries(KINDS))("%s: what is not read in time stays text, and nothing is lost", (kind, unit) => {
    const head = kind.includes("URL") ? "https://a.b" : "- a\n";
    const text = head + unit.repeat(Math.floor(500_000 / unit.length));
    const before = process.cpuUsage();

    const tokens = lex(text);

    const { user, system } = process.cpuUsage(before);
    // [0.3 s on a busy machine]
    expect((user + system) / 1_000).toBeLessThan(2_000);
    expect(tokens.map(({ raw }) => raw).join("").length).toBeGreaterThan(text.length * 0.99);
  });
});
