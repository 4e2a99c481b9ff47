import { expect, test } from "vitest";
import { runValues } from "./dump.ts";

test("a run that an older evenkeel exported has the defaults of the columns that it did not know", () => {
  const columns = ["id", "superseded", "joined", "ephemeral", "output"];

  expect(runValues({ id: "run" }, columns)).toEqual(["run", 0, 0, 0, null]);
  expect(runValues({ id: "run", superseded: 1, output: "{}" }, columns)).toEqual(["run", 1, 0, 0, "{}"]);
});
