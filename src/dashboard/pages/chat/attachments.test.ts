import { expect, test, vi } from "vitest";
import type { FileInfo } from "../../../api/files.ts";
import { MAX_FILE_BYTES } from "../../../core/limits.ts";
import { FakeServices } from "../../live/fake-services.ts";
import type { UploadOptions } from "../../live/files.ts";
import { Attachments } from "./attachments.ts";

interface Sent extends UploadOptions {
  readonly file: File;
  readonly answer: (file: Partial<FileInfo>) => void;
  readonly refuse: (reason: unknown) => void;
}

/** A server that answers an upload when the test says so. */
function opened() {
  const server = new FakeServices();
  const sent: Sent[] = [];
  server.upload = (file, options) => {
    const { promise, resolve, reject } = Promise.withResolvers<FileInfo>();
    options.signal.addEventListener("abort", () => reject(options.signal.reason as Error));
    const info = { file_id: `file_${sent.length}`, name: file.name, media_type: "text/plain" } as FileInfo;
    sent.push({ ...options, file, answer: (more) => resolve({ ...info, ...more }), refuse: reject });
    return promise;
  };
  return { attachments: new Attachments(server), sent };
}

const text = (name: string) => new File(["words"], name);
const states = ({ list }: Attachments) => list.value.map(({ name, state }) => `${name} ${state}`);

test("a file is uploaded at once, says how far it is, and goes with the message as its id", async () => {
  const { attachments, sent } = opened();
  attachments.add([text("a.txt")]);
  await vi.waitFor(() => expect(sent).toHaveLength(1));
  sent[0]?.onProgress(0.5);
  expect(attachments.list.value).toMatchObject([{ state: "uploading", fraction: 0.5 }]);

  sent[0]?.answer({ media_type: "image/png" });

  await vi.waitFor(() => expect(states(attachments)).toEqual(["a.txt ready"]));
  expect(attachments.take()).toEqual([{ type: "image", source: { type: "file", file_id: "file_0" }, name: "a.txt" }]);
  expect(attachments.list.value).toEqual([]);
});

test("three files are uploaded at a time; one that is removed ends, and makes room for the next", async () => {
  const { attachments, sent } = opened();
  attachments.add(["a", "b", "c", "d", "e"].map(text));
  await vi.waitFor(() => expect(sent).toHaveLength(3));
  attachments.remove(attachments.list.value[3]?.key ?? "");

  attachments.remove(attachments.list.value[0]?.key ?? "");

  await vi.waitFor(() => expect(sent.map(({ file }) => file.name)).toEqual(["a", "b", "c", "e"]));
  expect(sent[0]?.signal.aborted).toBe(true);
  await vi.waitFor(() => expect(states(attachments)).toEqual(["b uploading", "c uploading", "e uploading"]));
});

test.each([
  ["too large", () => new File([new Uint8Array(MAX_FILE_BYTES + 1)], "x"), /^It is larger than 32 MiB.$/],
  ["a program", () => new File([new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0])], "x"), /^It is no PNG/],
  ["empty", () => new File([], "x"), /^It is no PNG/],
  ["a script in a picture's name", () => new File(["\0<script>"], "x"), /^It is no PNG/],
])("a file that is %s is refused without being sent", async (_what, make, detail) => {
  const { attachments, sent } = opened();
  attachments.add([make()]);
  await vi.waitFor(() => expect(states(attachments)).toEqual(["x failed"]));
  expect(attachments.list.value).toMatchObject([{ problem: { detail: expect.stringMatching(detail) } }]);
  expect(sent).toEqual([]);
});

test("what the server refuses says why, and holds up no other file", async () => {
  const { attachments, sent } = opened();
  attachments.add([text("a"), text("b")]);
  await vi.waitFor(() => expect(sent).toHaveLength(2));
  sent[0]?.refuse({ code: "FILES_FULL", detail: "Your files take 1 GiB." });
  sent[1]?.answer({});
  await vi.waitFor(() => expect(states(attachments)).toEqual(["a failed", "b ready"]));
  expect(attachments.list.value[0]).toMatchObject({
    problem: { code: "FILES_FULL", detail: "Your files take 1 GiB." },
  });
});

test("a message takes as many files as the API does, and says so", () => {
  const { attachments } = opened();
  attachments.add(Array.from({ length: 120 }, (_, n) => text(String(n))));
  expect(attachments.list.value).toHaveLength(99);
  expect(attachments.refused.value).toBe("A message takes 99 files at most.");
});
