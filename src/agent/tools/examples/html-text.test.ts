import { expect, test } from "vitest";
import { textOfHtml } from "../../../../config/tools/fetch_url.ts";

test("a page becomes its words: no scripts, styles or comments, and lines where the page breaks them", () => {
  const page =
    "<head><style>p { color: red }</style></head><!-- <p>hidden</p> --><p>One &amp; <b>two</b></p><script>x < y</script ><br>three";
  expect(textOfHtml(page)).toBe("One & two\nthree");
});

test("a script that never ends hides what follows, as in a browser", () => {
  expect(textOfHtml("<p>seen</p><script>let a = 1; <p>hidden</p>")).toBe("seen");
});

test.each(["<!--", "<script>", "<", "<br ", "</script"])(
  "a megabyte of `%s` costs no more than another page",
  (part) => {
    const page = part.repeat(Math.ceil(1_000_000 / part.length));
    const before = process.cpuUsage();
    textOfHtml(page);
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(2_000);
  },
);
