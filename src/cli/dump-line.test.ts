import { expect, test } from "vitest";
import { readDumpLine } from "./dump-line.ts";

const thread = { id: "t", principal: "me", created_at: 1, updated_at: 2, listed: 1 };
const run = {
  id: "r",
  thread_id: "t",
  agent_id: "assistant",
  parent_id: null,
  retry_of: null,
  status: "completed",
  created_at: 1,
  started_at: 1,
  finished_at: 2,
  fence: 1,
  attempts: 1,
  steps: 1,
  usage: null,
  metadata: "{}",
  error: null,
  principal: "me",
};
const dumped = {
  run,
  messages: [{ role: "user", content: '"hi"', about: null, at: 1 }],
  events: [{ seq: 1, type: "RUN_STARTED", data: "{}", joined: null }],
  tool_calls: [{ step: 1, id: "call", name: "clock", effects: "pure", result: null }],
};
const lineWith = (over: object) => JSON.stringify({ thread, runs: [{ ...dumped, ...over }] });

test("a thread passes as it was written", () => {
  const dump = { thread, runs: [dumped] };
  expect(readDumpLine(JSON.stringify(dump), "f:1")).toEqual(dump);
});

test("a message and a result that a person wrote with white space are stored as the server writes them", () => {
  const content = '[ { "type": "image", "source": { "type": "file", "file\\u005fid": "file_1" } } ]';
  const compact = '[{"type":"image","source":{"type":"file","file_id":"file_1"}}]';
  const messages = [{ ...dumped.messages[0], content }];
  const calls = [{ ...dumped.tool_calls[0], result: `{ "content": ${content}, "isError": false }` }];
  const [read] = readDumpLine(lineWith({ messages, tool_calls: calls }), "f:1").runs;
  expect(read?.messages[0]?.["content"]).toBe(compact);
  expect(read?.tool_calls[0]?.["result"]).toBe(`{"content":${compact},"isError":false}`);
});

test.each([
  ["no JSON", "{", /f:1 is no JSON/],
  ["no thread", "{}", /at thread/],
  ["a run that is null", JSON.stringify({ thread, runs: [null] }), /at runs\[0\]/],
  ["a status that there is not", lineWith({ run: { ...run, status: "elephant" } }), /status/],
  ["a run under way", lineWith({ run: { ...run, status: "running" } }), /status/],
  ["a run of another thread", lineWith({ run: { ...run, thread_id: "other" } }), /this thread only/],
  ["an id that no client could name", lineWith({ run: { ...run, id: "a/\u0000" } }), /runs\[0\].run.id/],
  ["usage that is no JSON", lineWith({ run: { ...run, usage: "{{{" } }), /usage/],
  ["an event without a position", lineWith({ events: [{ ...dumped.events[0], seq: 0 }] }), /seq/],
  ["a result that is no JSON", lineWith({ tool_calls: [{ ...dumped.tool_calls[0], result: "{{{" }] }), /result/],
  ["a message of nobody", lineWith({ messages: [{ ...dumped.messages[0], role: "elephant" }] }), /role/],
])("%s is refused by its field", (_name, line, reason) => {
  expect(() => readDumpLine(line, "f:1")).toThrow(reason);
});
