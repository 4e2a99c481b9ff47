import { expect, test } from "vitest";
import { contentOfResult } from "./content.ts";

const hide = (text: string) => text.replaceAll("s3cret", "[secret]");

test("a resource of bytes that are text is a text, and what is secret in it is hidden", () => {
  const blob = Buffer.from("TOKEN=s3cret\n").toString("base64");
  const resource = { uri: "file:///.env", blob };

  expect(contentOfResult({ content: [{ type: "resource", resource }] }, hide)).toBe(
    "[resource file:///.env]\nTOKEN=[secret]\n",
  );
});
