/** `evenkeel/testing` as a test of somebody's agents uses it, in vitest. */
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { aliveOf, descendantsOf } from "../testing/processes.ts";
import { startTestServer } from "./test-kit.ts";

const ask = { agent_id: "assistant", message: "How much is 6 * 7?" };

test("the model says what the test wrote, and the test sees what it was asked", async () => {
  await using server = await startTestServer({
    answers: [
      { error: { status: 529, retryAfterS: 0 } },
      {
        thinking: "A tool knows.",
        text: "Let me see.",
        tools: [{ name: "calculate", input: { expression: "6 * 7" } }],
      },
      "It is 42.",
    ],
  });
  expect((await server.client.chat(ask)).reply).toContain("It is 42.");
  expect(server.requests).toHaveLength(3);
  expect(JSON.stringify(server.requests[2]?.["messages"])).toContain('"content":"42"');

  const failed = server.client.chat(ask);
  await expect(failed).rejects.toMatchObject({ code: "MODEL_REJECTED" });
  await expect(failed).rejects.toThrow("The test has 3 answers for the model, and this is call 4.");
});

test("a function answers runs that go side by side, and nothing is left of the server", async () => {
  const server = await startTestServer({
    answers: ({ messages }) => `You said ${JSON.stringify(messages).match(/number \d/)?.[0]}.`,
  });
  const replies = await Promise.all(
    [1, 2, 3].map((number) => server.client.chat({ agent_id: "assistant", message: `number ${number}` })),
  );
  expect(replies.map(({ reply }) => reply)).toEqual([1, 2, 3].map((number) => `You said number ${number}.`));
  const [, pid] = /^ *pid +(\d+)$/m.exec(server.log()) ?? [];
  const family = [Number(pid), ...descendantsOf(Number(pid))];
  expect(family.length).toBeGreaterThan(2);
  await server.stop();
  await server.stop();
  expect(aliveOf(family)).toEqual([]);
});

test("a project that cannot be started says why", async () => {
  const project = await mkdtemp(join(tmpdir(), "evenkeel-kit-"));
  onTestFinished(() => rm(project, { recursive: true }));
  await expect(startTestServer({ project })).rejects.toThrow("npx evenkeel init");
  await mkdir(join(project, "config"));
  await writeFile(
    join(project, "config/agents.ts"),
    `import { defineAgents } from "evenkeel";\nexport const agents = defineAgents({ a: { modell: "m" } });`,
  );
  await expect(startTestServer({ project })).rejects.toThrow("modell");
});
