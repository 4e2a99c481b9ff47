/**
 * The laws of what goes to the model, checked over random threads with the check by which the simulated model refuses
 * requests.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { ContentBlock, Message } from "../../core/message.ts";
import type { FinishReason, RunStatus } from "../../core/run.ts";
import type { ErrorCode } from "../../core/errors.ts";
import type { ToolCall, Turn } from "../../engine/engine.ts";
import { repeats, unsentTurn } from "../../engine/rules/unsent.ts";
import { signatureOf } from "../../simulator/signature.ts";
import { refusalOf } from "../../simulator/validate.ts";
import type { Audience, ModelMessage } from "./model-message.ts";
import { toModel } from "./transcript.ts";

const MODELS = ["claude-a", "claude-b"] as const;
const RUNS = 1_000;

test("the API accepts every thread, whatever is stored in it", () => {
  fc.assert(
    fc.property(threads, audiences, (turns, audience) => {
      expect(refusalOf(requestOf(toModel(turns, audience), audience))).toBeUndefined();
    }),
    { numRuns: RUNS },
  );
});

test("the API accepts every thread of which something is left out", () => {
  fc.assert(
    fc.property(threads, audiences, compactions, (turns, audience, compaction) => {
      const last = turns.at(-1) as Turn;
      const marked = [...turns.slice(0, -1), { ...last, messages: [...last.messages, compaction] }];
      expect(refusalOf(requestOf(toModel(marked, audience), audience))).toBeUndefined();
    }),
    { numRuns: RUNS },
  );
});

test("nothing that a user said and that counts is lost, and it is said once", () => {
  fc.assert(
    fc.property(threads, audiences, (turns, audience) => {
      const said = JSON.stringify(toModel(turns, audience));
      const sent = turns.filter((turn, index) => !unsentTurn(turn) && !repeats(turn, turns[index - 1]));
      for (const mark of turns.keys().map(markOf)) {
        const times = sent.filter(({ messages }) => messages[0]?.content === mark).length;
        expect({ mark, times: said.split(mark).length - 1 }).toEqual({ mark, times });
      }
    }),
    { numRuns: RUNS },
  );
});

test("a longer thread begins with the bytes of the shorter one", () => {
  fc.assert(
    fc.property(threads, audiences, fc.nat(), (turns, audience, at) => {
      const shorter = cutAt(turns, at);
      fc.pre(shorter !== undefined);
      expect(bytesOf(toModel(turns, audience)).startsWith(bytesOf(toModel(shorter, audience)))).toBe(true);
    }),
    { numRuns: RUNS },
  );
});

test("the same thread renders to the same bytes, and is not changed by it", () => {
  fc.assert(
    fc.property(threads, audiences, (turns, audience) => {
      const before = JSON.stringify(turns);
      expect(JSON.stringify(toModel(turns, audience))).toBe(JSON.stringify(toModel(turns, audience)));
      expect(JSON.stringify(turns)).toBe(before);
    }),
    { numRuns: 300 },
  );
});

// ── Random threads ───────────────────────────────────────────────────────────────────────────────

const odd = fc.constantFrom("", " ", "\n\n", "\u0085", "\0", "half \ud83d", "\udc00", "fine", "😀", "x".repeat(900));
const text = fc.oneof(odd, fc.string({ unit: "binary", maxLength: 12 }), fc.string({ maxLength: 12 }));
const ids = fc.oneof(fc.constantFrom("a", "b", "a_2", "functions.calculate:0", "", " "), fc.string({ maxLength: 4 }));
const json = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(null, [], "6*7", 7, { "\ud800": "\udfff" }),
);
const garbage: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, 7, "bare text", {}, { type: 7 }, { type: "text" }, { type: "tool_use" }),
  fc.constantFrom<unknown>({ type: "tool_result" }, { type: "thinking" }, { type: "image" }, []),
);
const thinking = fc
  .record({ thought: text, model: fc.constantFrom(...MODELS), isSigned: fc.boolean() })
  .map(({ thought, model, isSigned }) => ({
    model,
    block: { type: "thinking", thinking: thought, signature: isSigned ? signatureOf(model, [thought]) : "" },
  }));
const use = fc.record({ type: fc.constant("tool_use"), id: ids, name: text, input: json });
/** Pictures and documents that tools return, and the fields that broken threads have in their place. */
const media = fc.record({
  type: fc.constantFrom("image", "document"),
  source: fc.oneof(
    fc.record({ type: fc.constant("file"), file_id: fc.oneof(ids, fc.constant("file_1")) }),
    fc.record({ type: fc.constantFrom("url", "text", "base64", "content", "?"), url: text, data: text }),
    json,
  ),
});
const resultContent = fc.oneof(
  text,
  fc.array(fc.oneof(fc.record({ type: fc.constant("text"), text }), media, garbage), { maxLength: 3 }),
  fc.constant(undefined),
);
const picture = fc.constant({ type: "image", source: { type: "file", file_id: "file_1" } } as const);
/** What the ledger holds: our own parts. */
const storedContent = fc.oneof(text, fc.array(fc.oneof(fc.record({ type: fc.constant("text"), text }), picture)));
const result = fc.record({
  type: fc.constant("tool_result"),
  tool_use_id: ids,
  content: resultContent,
  is_error: fc.boolean(),
});
const citing = fc.record({
  type: fc.constant("text"),
  text,
  citations: fc.oneof(
    json,
    fc.array(fc.oneof(fc.record({ type: fc.constant("web_search_result_location"), title: text }), json), {
      maxLength: 2,
    }),
  ),
});
const serverBlock = fc.oneof(
  fc.record({
    type: fc.constant("server_tool_use"),
    id: fc.constantFrom("srvtoolu_1", "srvtoolu_2"),
    name: fc.constant("web_search"),
    input: fc.constant({ query: "\ud800" }),
  }),
  fc.record({ type: fc.constant("web_search_tool_result"), tool_use_id: fc.constantFrom("srvtoolu_1"), content: json }),
  fc.record({ type: fc.constant("newer_than_this_file"), any: json }),
);

/** Mostly, the thinking is of the same model as the answer, because one model writes an answer. */
const answer = fc
  .record({
    blocks: fc.array(fc.oneof(fc.record({ type: fc.constant("text"), text }), citing, use, serverBlock, garbage), {
      maxLength: 4,
    }),
    thoughts: fc.array(thinking, { maxLength: 2 }),
    isFirst: fc.boolean(),
    model: fc.constantFrom(...MODELS, undefined),
    cut: fc.option(fc.constantFrom<FinishReason>("canceled", "max_tokens", "error"), { nil: undefined }),
  })
  .map(({ blocks, thoughts, isFirst, model, cut }): Message => {
    const own = thoughts.filter((thought) => thought.model === model || model === undefined).map(({ block }) => block);
    const content = (isFirst ? [...own, ...blocks] : [...blocks, ...own]) as ContentBlock[];
    return { role: "assistant", content, ...(model && { model }), ...(cut && { cut }) };
  });
const userMessage = fc
  .record({
    content: fc.oneof(
      text,
      fc.array(fc.oneof(result, fc.record({ type: fc.constant("text"), text }), media, garbage, use)),
    ),
    note: fc.option(fc.constantFrom("3 steps are left", "\ud800"), { nil: undefined }),
  })
  .map(({ content, note }): Message => ({
    role: "user",
    content: content as Message["content"],
    ...(note !== undefined && { note }),
  }));

/** An answer with calls, and the results of some of them: the usual steps of a run. */
const exchange = fc
  .record({
    answer,
    kept: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    content: resultContent,
    is_error: fc.boolean(),
  })
  .map(({ answer, kept, content, is_error }): Message[] => {
    const calls = (answer.content as ContentBlock[]).filter((block) => block?.type === "tool_use" && "id" in block);
    const results = calls
      .filter((_, index) => kept[index])
      .map(
        (call) =>
          ({ type: "tool_result", tool_use_id: (call as { id: string }).id, content, is_error }) as ContentBlock,
      );
    return [answer, ...(results.length > 0 ? [{ role: "user", content: results } as const] : [])];
  });
const outcome = fc.constantFrom<[RunStatus, FinishReason | null, ErrorCode | null]>(
  ["completed", "stop", null],
  ["completed", "max_tokens", null],
  ["completed", "refusal", null],
  ["failed", "error", "MODEL_UNAVAILABLE"],
  ["failed", "error", "MODEL_REJECTED"],
  ["failed", "error", "CONTEXT_TOO_LARGE"],
  ["failed", "time_limit", "RUN_TIMEOUT"],
  ["canceled", "canceled", null],
);
const ledger = fc.array(
  fc.record<ToolCall>({
    stepsBefore: fc.nat(3),
    toolCallId: ids,
    name: fc.constant("clock"),
    effects: fc.constantFrom("pure", "idempotent", "unsafe"),
    result: fc.option(fc.record({ content: storedContent, isError: fc.boolean() }), { nil: null }),
  }),
  { maxLength: 3 },
);
const turn = fc.record({
  rest: fc.array(fc.oneof({ weight: 3, arbitrary: exchange }, fc.tuple(answer), fc.tuple(userMessage)), {
    maxLength: 4,
  }),
  outcome,
  attempts: fc.nat(2),
  steps: fc.nat(3),
  ledger,
  isAgain: fc.boolean(),
});

/** The text of the user in turn `n`, which no other message has. */
const markOf = (index: number): string => `<said ${index}>`;

const threads = fc.array(turn, { minLength: 1, maxLength: 5 }).map((parts): Turn[] => {
  const turns: Turn[] = [];
  for (const [index, { rest, outcome, attempts, steps, ledger, isAgain }] of parts.entries()) {
    const before = turns.at(-1);
    const first: Message = { role: "user", content: markOf(index) };
    const [status, finishReason, errorCode] = outcome;
    turns.push({
      runId: `run_${index}`,
      agentId: "assistant",
      status,
      finishReason,
      errorCode,
      attempts,
      steps,
      messages: [isAgain && before?.messages[0] ? before.messages[0] : first, ...rest.flat()],
      toolCalls: ledger,
    });
  }
  return turns;
});

const audiences = fc.record<Audience>({
  model: fc.constantFrom(...MODELS),
  hasTools: fc.boolean(),
  maxResultCharacters: fc.constantFrom(10, 1_000, 100_000),
});

/** Compactions at any place, also between a call and its result. */
const compactions = fc
  .record({
    from: fc.nat(30),
    cleared_before: fc.nat(30),
    summary: fc.option(fc.constantFrom("They said hello.", "\ud800"), { nil: undefined }),
  })
  .map(({ summary, ...cut }): Message => {
    const compaction = { model: "m", budget: 1_000, ...cut, ...(summary !== undefined && { summary }) };
    return { role: "user", content: [], compaction };
  });

// ── What is compared ─────────────────────────────────────────────────────────────────────────────

function requestOf(messages: readonly ModelMessage[], { model, hasTools }: Audience): object {
  const tools = hasTools ? [{ name: "clock", input_schema: { type: "object" } }] : undefined;
  return JSON.parse(JSON.stringify({ model, max_tokens: 100, messages, tools })) as object;
}

/** The bytes without the brackets that close the last message and the list. */
function bytesOf(messages: readonly ModelMessage[]): string {
  return JSON.stringify(messages).slice(0, -"]}]".length);
}

/**
 * The thread as it was when its model was last asked: the last turn is under way and ends with a message of the user or
 * a tool.
 */
function cutAt(turns: readonly Turn[], at: number): Turn[] | undefined {
  const last = turns[at % turns.length] as Turn;
  const ends = last.messages.flatMap(({ role }, index) => (role === "user" ? [index + 1] : []));
  if (unsentTurn(last)) return undefined;
  const messages = last.messages.slice(0, ends[at % ends.length]);
  const running = { ...last, messages, status: "running", finishReason: null, errorCode: null } as const;
  return [...turns.slice(0, at % turns.length), running];
}
