import type { VNode } from "preact";
import { describe, expect, test } from "vitest";
import { CodeBlock } from "./code-block.tsx";
import { HOSTILE } from "./hostile.ts";
import { lex } from "./lex.ts";
import { renderBlock } from "./render.tsx";

type Node = VNode<Record<string, unknown>>;

/** Lists every element of a message. Components are listed but not called. */
function elementsOf(value: unknown): Node[] {
  if (Array.isArray(value)) return value.flatMap(elementsOf);
  if (typeof value !== "object" || value === null) return [];
  const node = value as Node;
  return [node, ...elementsOf(node.props["children"])];
}

function render(markdown: string): Node[] {
  return elementsOf(lex(markdown).map(renderBlock));
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join("");
  if (typeof value === "string" || typeof value === "number") return String(value);
  if (typeof value !== "object" || value === null) return "";
  const { props } = value as Node;
  return typeof props["text"] === "string" ? props["text"] : textOf(props["children"]);
}

const textIn = (markdown: string) => textOf(lex(markdown).map(renderBlock));
const hrefsIn = (markdown: string) => render(markdown).flatMap(({ props }) => props["href"] ?? []);

const ELEMENTS = new Set(
  "p h3 h4 h5 h6 strong em del code br a span ul ol li blockquote hr div table thead tbody tr th td".split(" "),
);
const PROPS = new Set(
  "children class dir href title target rel role scope start tabIndex aria-label data-done text lang".split(" "),
);

test.each(["\u202E", "\u2066", "\u200F", "\u2028", "\u0085"])(
  "the hidden character %j shows as a mark in code and links, and stays as it is in prose",
  (hidden) => {
    const mark = `[U+${hidden.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}]`;
    expect(textIn(`\`a${hidden}b\``)).toBe(`a${mark}b`);
    // The button that copies a block has the same text.
    expect(textIn(`\`\`\`\na${hidden}b\n\`\`\``)).toBe(`a${mark}b`);
    expect(textIn(`[a${hidden}*b*](https://a.example)`)).toBe(`a${mark}b`);
    expect(textIn(`[a&#x${hidden.charCodeAt(0).toString(16)};b](https://a.example)`)).toBe(`a${mark}b`);
    expect(JSON.stringify(hrefsIn(`[a](https://a.example/${hidden})`))).not.toContain(hidden);
    expect(textIn(`![a${hidden}b](https://a.example/x.png)`)).toContain(`a${mark}b`);
    expect(textIn(`a${hidden}b`)).toBe(`a${hidden}b`);
  },
);

describe("hostile Markdown", () => {
  test.each(HOSTILE)("%j makes no element, property or link but allowed ones", (markdown) => {
    for (const { type, props } of render(markdown)) {
      if (type === CodeBlock) continue;
      expect(ELEMENTS).toContain(type);
      for (const name of Object.keys(props)) expect(PROPS).toContain(name);
      const href = props["href"];
      if (href === undefined) continue;
      expect(["http:", "https:", "mailto:"]).toContain(new URL(href as string).protocol);
      expect(props).toMatchObject({ rel: "noopener noreferrer", target: "_blank" });
    }
  });

  test("links with a script in them are text", () => {
    for (const markdown of HOSTILE.filter(
      (entry) => !entry.includes("https://a.example") && entry.startsWith("[x]("),
    )) {
      expect(hrefsIn(markdown)).toEqual([]);
    }
  });

  test("a link that pretends to be another host's is text", () => {
    expect(hrefsIn("[x](https://bank.example@evil.example/)")).toEqual([]);
  });

  test("our own pages cannot be linked", () => {
    expect(hrefsIn("[a](/api/runs) [b](#/runs) [c](//evil.example)")).toEqual([]);
  });

  test("raw HTML shows as it was written", () => {
    expect(textIn("<img src=x onerror=alert(1)>")).toContain("<img src=x onerror=alert(1)>");
    expect(textIn("a <b>x</b> c")).toBe("a <b>x</b> c");
  });
});

describe("what people write", () => {
  test("http, https and mailto links are links, autolinks too", () => {
    expect(
      hrefsIn(
        "[a](http://a.example/x) [b](<https://b.example/y z>) https://c.example <d@e.example> [m](mailto:x@y.example)",
      ),
    ).toEqual([
      "http://a.example/x",
      "https://b.example/y%20z",
      "https://c.example/",
      "mailto:d@e.example",
      "mailto:x@y.example",
    ]);
  });

  test("an ampersand reference in a link is resolved, in an autolink it is literal", () => {
    expect(hrefsIn("[a](https://a.example/?b=1&amp;c=2)")).toEqual(["https://a.example/?b=1&c=2"]);
    expect(hrefsIn("<https://a.example/?b=1&amp;c=2>")).toEqual(["https://a.example/?b=1&amp;c=2"]);
  });

  test("an image is a link that says what it shows, and loads nothing", () => {
    const elements = render("![a chart](https://a.example/chart.png)");
    expect(elements.map(({ type }) => type)).toEqual(["p", "a"]);
    expect(textIn("![a chart](https://a.example/chart.png)")).toBe("[image: a chart]");
  });

  test("character references become characters, in code they stay", () => {
    expect(textIn("a &lt;b&gt; &amp;amp; &copy; &unknown; &#0; `&lt;`")).toBe("a <b> &amp; © &unknown; \uFFFD &lt;");
  });

  test("code has its language; the rest of the info string is dropped", () => {
    const code = render("```ts title=x\nconst a = 1;\n```").find(({ type }) => type === CodeBlock);
    expect(code?.props).toMatchObject({ lang: "ts", text: "const a = 1;" });
  });

  test("tables keep their alignment as classes, never as style", () => {
    const cells = render("| a | b |\n|:-|-:|\n| 1 | 2 |").filter(({ type }) => type === "td");
    expect(cells.map(({ props }) => props["class"])).toEqual(["md-left", "md-right"]);
  });

  test("task lists say what is done, also to those who hear them", () => {
    const boxes = render("- [x] a\n- [ ] b").filter(({ props }) => props["role"] === "img");
    expect(boxes.map(({ props }) => props["aria-label"])).toEqual(["done", "not done"]);
  });

  test("a numbered list keeps its first number", () => {
    expect(render("7. a\n8. b").find(({ type }) => type === "ol")?.props["start"]).toBe(7);
  });

  test("text takes its direction from its first letter; what holds blocks has none of its own to look for", () => {
    const elements = render("- a\n\n1. b\n\n> c\n\nd").map(({ type, props }) => [type, props["dir"]]);
    expect(elements.filter(([, dir]) => dir === undefined).map(([type]) => type)).toEqual(["ul", "ol", "blockquote"]);
    expect(elements.filter(([, dir]) => dir === "auto").map(([type]) => type)).toEqual(["li", "li", "p", "p"]);
  });

  test("headings stand below those of the page", () => {
    expect(render("# a\n\n###### b").map(({ type }) => type)).toEqual(["h3", "h6"]);
  });
});
