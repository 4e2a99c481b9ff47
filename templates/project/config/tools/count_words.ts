/** A tool is a file, and the file's name is the tool's name. It may import any package of this project. */
import { defineTool, z } from "evenkeel";

export const tool = defineTool({
  description: "Counts the words of a text.",
  input: z.object({ text: z.string().describe("The text to count.") }),
  effects: "pure",
  run: ({ text }) => ({ words: text.split(/\s+/).filter(Boolean).length }),
});
