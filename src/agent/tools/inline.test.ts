import { expect, test, vi } from "vitest";
import { z } from "zod";
import { callContext } from "../../testing/call-context.ts";
import { runDefined } from "./inline.ts";
import { defineTool } from "./tool.ts";

test("a call that is given up while its arguments are checked never reaches the code of its tool", async () => {
  const checked = Promise.withResolvers<boolean>();
  const run = vi.fn<() => string>(() => "too late");
  const tool = defineTool({ description: "", input: z.object({}).refine(() => checked.promise), run });
  const end = new AbortController();
  const { signal } = end;

  const result = runDefined(tool, {}, { data: callContext({ signal }), signal, report: () => {} });
  end.abort(new Error("The run was canceled."));
  checked.resolve(true);

  expect(await result).toEqual({ content: "The run was canceled.", isError: true });
  expect(run).not.toHaveBeenCalled();
});
