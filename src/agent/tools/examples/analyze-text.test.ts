import { expect, test } from "vitest";
import { tool } from "../../../../config/tools/analyze_text.ts";
import { runTool } from "../../../testing/run-tool.ts";

test("a text is counted, and sentences that are alike are found", async () => {
  const text = "The ship keeps its balance. The ship always keeps its balance. Waves come and go.";

  expect(await runTool(tool, { text })).toMatchObject({
    words: 15,
    sentences: 3,
    frequent: [
      { word: "balance", count: 2 },
      { word: "keeps", count: 2 },
      { word: "ship", count: 2 },
      { word: "always", count: 1 },
      { word: "come", count: 1 },
      { word: "waves", count: 1 },
    ],
    alike: [{ similarity: 0.83 }],
  });
});
