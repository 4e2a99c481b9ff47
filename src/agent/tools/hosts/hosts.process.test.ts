/**
 * One tool in threads and in processes that does everything a bad tool does: what the call gets, and what other calls
 * get.
 */
import { execFileSync } from "node:child_process";
import { mkdtempDisposable, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, onTestFinished, test, vi } from "vitest";
import { programEnv } from "../../../environment.ts";
import { callContext } from "../../../testing/call-context.ts";
import { PIXEL } from "../../../testing/pictures.ts";
import { aliveOf } from "../../../testing/processes.ts";
import type { CallContext, CallReport, ToolResult } from "../invoke.ts";
import { Hosts } from "./hosts.ts";
import type { HostedTool } from "./vessel.ts";

const source = new URL("../fixtures/naughty.ts", import.meta.url).href;

interface Naughty extends AsyncDisposable {
  readonly hosts: Hosts;
  readonly lines: readonly string[];
  call(deed: string, argument?: string, over?: Partial<CallContext>): Promise<ToolResult>;
}

function open(options: Partial<HostedTool> = {}): Naughty {
  const lines: string[] = [];
  const hosts = new Hosts(pino({}, { write: (line: string) => void lines.push(line) }));
  const invoke = hosts.add({
    name: "naughty",
    source,
    effects: "idempotent",
    isolation: "thread",
    timeoutMs: 2_000,
    memoryMb: 128,
    env: programEnv([]),
    ...options,
  });
  return {
    hosts,
    lines,
    call: (deed, argument = "", over = {}) => invoke({ deed, argument }, callContext(over)),
    [Symbol.asyncDispose]: () => hosts.stop(),
  };
}

const WITHIN = { timeout: 5_000, interval: 20 };
const failed = (reason: string | RegExp) => ({ isError: true, content: expect.stringMatching(reason) });

test.each(["thread", "process"] as const)("a picture leaves a %s whole", async (isolation) => {
  await using naughty = open({ isolation });
  expect(await naughty.call("picture", PIXEL)).toEqual({
    content: [
      { type: "text", text: "see" },
      { type: "media", data: PIXEL },
    ],
    isError: false,
  });
});

test("no thread is started before the first call, and a thread is shared by the calls that wait in it", async () => {
  await using naughty = open();
  expect(naughty.hosts.read()).toMatchObject({ tool_threads: 0, tool_calls: 0 });

  const calls = Array.from({ length: 50 }, () => naughty.call("sleep", "300"));
  expect(naughty.hosts.read()).toMatchObject({ tool_threads: 1, tool_calls: 50, tool_calls_waiting: 0 });

  for (const result of await Promise.all(calls)) expect(result).toEqual({ content: "slept", isError: false });
  expect(naughty.hosts.read()).toMatchObject({ tool_threads: 1, tool_calls: 0 });
});

/** The result of each deed, within the tool's time. */
const DEEDS: readonly (readonly [deed: string, inThread: object, inProcess?: object])[] = [
  ["echo", { content: "x", isError: false }],
  ["exit", failed("called process.exit")],
  ["exit later", failed("called process.exit")],
  ["abort", failed("process.abort"), failed("process ended .SIGABRT.")],
  ["kill itself", failed("called process.kill")],
  ["kill its parent", failed("called process.kill")],
  ["throw from a timer", failed("thrown from a timer")],
  ["throw after its end", { content: "done", isError: false }],
  ["reject astray", failed("rejected astray")],
  ["fill the heap", failed("memory"), failed("memory|SIGABRT|SIGTRAP|longer")],
  ["fill the heap at once", failed("memory|longer"), failed("memory|SIGABRT|SIGTRAP|longer")],
  ["allocate at once", failed("memory|longer"), failed("memory|SIGABRT|SIGTRAP|longer")],
  ["leak buffers", failed("more than its 128 MB")],
  ["spin for ever", failed("longer than 2000 ms")],
  ["match for ever", failed("longer than 2000 ms")],
  ["loop in microtasks", failed("longer than 2000 ms|memory")],
  ["wait on memory", failed("longer than 2000 ms")],
  [
    "print for ever",
    { ...failed("longer than 2000 ms|memory"), output: expect.stringMatching(/^(flood\n|.{0,5}\n)+/) },
  ],
  ["replace globals", { content: '{"replaced":true}', isError: false }],
  ["replace JSON.stringify", { content: '{"replaced":true}', isError: false }],
  ["return 50 MB", { content: expect.stringMatching(/^x+\n\[cut: more\]$/), isError: false }],
  ["send to its parent", { content: "sent", isError: false }],
  ["leave a timer", failed("longer than 2000 ms")],
  ["throw null", failed("null was thrown")],
];

const ENDS = DEEDS.map(([deed, inThread, inProcess = inThread]) => ({ deed, inThread, inProcess }));

test.each(ENDS)(
  "in a thread, `$deed` ends within the call's time, and the next call is served",
  async ({ deed, inThread }) => {
    await using naughty = open();
    // The start of the thread is no part of the call's time.
    await naughty.call("echo");
    const startedAt = performance.now();

    expect(await naughty.call(deed, "x")).toMatchObject(inThread);

    expect(performance.now() - startedAt).toBeLessThan(4_000);
    expect(await naughty.call("echo", "next")).toEqual({ content: "next", isError: false });
    expect(naughty.hosts.read().tool_calls).toBe(0);
  },
);

test.each(ENDS)(
  "in a process, `$deed` ends within the call's time, and the next call is served",
  async ({ deed, inProcess }) => {
    await using naughty = open({ isolation: "process" });
    // The start of the process is no part of the call's time.
    await naughty.call("echo");
    const startedAt = performance.now();

    expect(await naughty.call(deed, "x")).toMatchObject(inProcess);

    expect(performance.now() - startedAt).toBeLessThan(4_000);
    expect(await naughty.call("echo", "next")).toEqual({ content: "next", isError: false });
  },
);

test.each(["thread", "process"] as const)(
  "what a call in a %s prints is kept with it, and only its end",
  async (isolation) => {
    await using naughty = open({ isolation });

    const results = await Promise.all([naughty.call("print", "one"), naughty.call("print", "y".repeat(20_000))]);

    expect(results[0]).toEqual({ content: "printed", isError: false, output: "one\nto stderr\n" });
    expect(results[1]?.output).toBe(`${"y".repeat(16 * 1024 - "\nto stderr\n".length)}\nto stderr\n`);
  },
);

test("what a call printed before it blocked its thread for ever is kept", async () => {
  await using naughty = open();

  expect(await naughty.call("print and spin", "here")).toMatchObject({ isError: true, output: "here\n" });
});

test("while a call blocks its thread, another thread takes new calls and repeats those that shared it", async () => {
  await using naughty = open({ timeoutMs: 3_000 });
  await naughty.call("echo", "warm");
  const sharer = naughty.call("sleep", "1000");
  const blocker = naughty.call("spin for ever");
  const startedAt = performance.now();

  expect(await naughty.call("echo", "beside")).toEqual({ content: "beside", isError: false });
  expect(performance.now() - startedAt).toBeLessThan(2_000);

  expect(await blocker).toMatchObject(failed("longer than 3000 ms"));
  expect(await sharer).toMatchObject(failed("longer than 3000 ms"));
});

test.each([
  ["idempotent", { content: "slept", isError: false }],
  ["unsafe", failed("naughty was interrupted.*outcome is unknown")],
] as const)("an innocent %s call whose thread is ended under it is told the truth", async (effects, end) => {
  await using naughty = open({ effects, timeoutMs: 4_000 });
  await naughty.call("echo");
  const blocker = naughty.call("spin later", "500");
  // This call is on the thread before the loop is blocked, and has time left when the blocking call has none.
  const sharer = naughty.call("sleep", "1000", { timeoutMs: 20_000 });

  expect(await blocker).toMatchObject(failed("longer than 4000 ms"));
  expect(await sharer).toMatchObject(end);
});

test("a call whose run ends is answered at once; its thread is kept if the call then ends cleanly", async () => {
  await using naughty = open({ timeoutMs: 60_000 });
  await naughty.call("echo");
  const cancel = new AbortController();
  const call = naughty.call("sleep until aborted", "60000", { signal: cancel.signal });

  cancel.abort(new Error("The run was canceled."));

  expect(await call).toEqual({ content: "The run was canceled.", isError: true });
  await vi.waitFor(() => expect(naughty.hosts.read().tool_calls_given_up).toBe(0), WITHIN);
  expect(await naughty.call("echo", "again")).toMatchObject({ content: "again" });
  expect(naughty.hosts.read().tool_threads).toBe(1);
});

test.each(["thread", "process"] as const)(
  "children of a given-up call in a %s are gone soon, detached ones too",
  async (isolation) => {
    await using naughty = open({ isolation, timeoutMs: 60_000 });
    for (const deed of ["leave a child", "wait for a child"]) {
      const cancel = new AbortController();
      const call = naughty.call(deed, SLEEP_S, { signal: cancel.signal });
      await vi.waitFor(() => expect(sleepers()).toHaveLength(1), WITHIN);

      cancel.abort(new Error("canceled"));

      await call;
      await vi.waitFor(() => expect(sleepers()).toEqual([]), WITHIN);
      await vi.waitFor(
        () => expect(naughty.hosts.read()).toMatchObject({ tool_threads: 0, tool_processes: 0 }),
        WITHIN,
      );
    }
  },
);

test("a thread in which a given-up call left a timer is ended soon", async () => {
  await using naughty = open({ timeoutMs: 60_000 });
  const cancel = new AbortController();
  const call = naughty.call("leave a timer", "", { signal: cancel.signal });
  await naughty.call("sleep", "50");

  cancel.abort(new Error("canceled"));

  await call;
  await vi.waitFor(() => expect(naughty.hosts.read().tool_threads).toBe(0), WITHIN);
});

test.each([
  {
    deed: "write into its channel",
    argument: 'no JSON\nnull\n[]\n{"cmd":"NODE_HANDLE_ACK"}\n',
    result: { isError: false },
  },
  { deed: "flood its channel", argument: "", result: failed("sent a message of more than 16777216 bytes") },
  { deed: "close its channel", argument: "", result: failed("closed the channel") },
])("in a process, a tool may $deed, and harms only its own call", async ({ deed, argument, result }) => {
  await using naughty = open({ isolation: "process" });

  expect(await naughty.call(deed, argument)).toMatchObject(result);

  expect(await naughty.call("echo", "next")).toEqual({ content: "next", isError: false });
});

test("unsafe calls that dead processes never read are begun in others", async () => {
  await using naughty = open({ isolation: "process", effects: "unsafe" });
  const results = await Promise.all(Array.from({ length: 4 }, () => naughty.call("pid")));
  const pids = results.map(({ content }) => Number(content));
  for (const pid of pids) process.kill(pid, "SIGKILL");
  // This blocks the event loop, so the call is sent before the end of any process is seen.
  while (aliveOf(pids).length > 0);

  // As many as there may be, so that none finds room for a new process at once.
  const calls = await Promise.all(pids.map((pid) => naughty.call("echo", `${pid}`)));

  expect(calls).toEqual(pids.map((pid) => ({ content: `${pid}`, isError: false })));
});

test("a call is begun, however many idle processes die just before it is sent to them", async () => {
  await using naughty = open({ isolation: "process", effects: "unsafe" });
  const results = await Promise.all(Array.from({ length: 4 }, () => naughty.call("pid")));
  const pids = results.map(({ content }) => Number(content));
  const kill = process.kill.bind(process);
  // When the end of one is seen, the next one is dead, and its end is not seen yet.
  const killNext = (pid: number) => {
    const next = pids[pids.indexOf(pid) + 1];
    if (!pids.includes(pid) || next === undefined) return;
    kill(next, "SIGKILL");
    while (aliveOf([next]).length > 0);
  };
  const spy = vi.spyOn(process, "kill").mockImplementation((pid, signal) => {
    killNext(-pid);
    return kill(pid, signal);
  });
  onTestFinished(() => spy.mockRestore());
  kill(pids[0] ?? 0, "SIGKILL");
  while (aliveOf(pids.slice(0, 1)).length > 0);

  expect(await naughty.call("echo", "x")).toEqual({ content: "x", isError: false });
  expect(aliveOf(pids)).toEqual([]);
});

test("an unsafe call that its process began is never begun again, and neither is one of a spoilt channel", async () => {
  await using naughty = open({ isolation: "process", effects: "unsafe" });
  await using folder = await mkdtempDisposable(join(tmpdir(), "evenkeel-hosts-"));
  const notes = join(folder.path, "notes");

  expect(await naughty.call("note and abort", notes)).toMatchObject(failed("process ended .SIGABRT."));
  expect(await naughty.call("write into its channel after its end", "half a line")).toMatchObject({ content: "done" });
  expect(await naughty.call("note and abort", notes)).toMatchObject(failed("process ended .SIGABRT."));

  expect(await readFile(notes, "utf8")).toBe("begun\nbegun\n");
});

test("an unsafe call that was sent to a thread, and not begun before another call ended it, is begun in another", async () => {
  await using naughty = open({ effects: "unsafe" });
  await naughty.call("echo");

  const [ender, other] = await Promise.all([naughty.call("end its thread"), naughty.call("echo", "x")]);

  expect(ender).toEqual(failed("ended its thread"));
  expect(other).toEqual({ content: "x", isError: false });
});

test.each(["thread", "process"] as const)(
  "a call is told the end of a %s that ends at its start each time",
  async (isolation) => {
    const source = "data:text/javascript,process.reallyExit(3)";
    await using naughty = open({ source, isolation, effects: "unsafe" });

    expect(await naughty.call("echo")).toEqual(failed("exit code 3.*had not begun"));
  },
);

test("a tool whose thread cannot be ended runs in processes from then on", async () => {
  await using naughty = open({ timeoutMs: 500 });

  expect(await naughty.call("be inside native code")).toMatchObject(failed("longer than 500 ms"));

  await vi.waitFor(() => expect(naughty.lines.join("")).toContain("cannot be ended"), WITHIN);
  expect((await naughty.call("pid")).content).not.toBe(String(process.pid));
});

test("more calls than there may be processes wait their turn, and are shown", async () => {
  await using naughty = open({ isolation: "process" });

  const calls = Array.from({ length: 6 }, () => naughty.call("sleep", "50"));

  expect(naughty.hosts.read()).toMatchObject({ tool_processes: 4, tool_calls: 4, tool_calls_waiting: 2 });
  for (const result of await Promise.all(calls)) expect(result.content).toBe("slept");
});

test.each(["thread", "process"] as const)(
  "a tool in a %s sees the usual variables and those that are allowed, and no other",
  async (isolation) => {
    vi.stubEnv("SECRET_OF_OURS", "canary");
    vi.stubEnv("ALLOWED_TOKEN", "yes");
    await using naughty = open({ isolation, env: programEnv(["ALLOWED_TOKEN"]) });

    const { content } = await naughty.call("environment");

    expect(content).not.toContain("canary");
    expect(JSON.parse(content as string)).toMatchObject({ PATH: process.env["PATH"], ALLOWED_TOKEN: "yes" });
    vi.unstubAllEnvs();
  },
);

test.each(["thread", "process"] as const)(
  "a call in a %s knows for whom it works, and what it says is passed on",
  async (isolation) => {
    await using naughty = open({ isolation });
    const reports: CallReport[] = [];

    const { content } = await naughty.call("report", "half way", { report: (report) => void reports.push(report) });

    expect(JSON.parse(content as string)).toEqual({
      runId: "run",
      threadId: "thread",
      agentId: "agent",
      principal: "somebody",
      metadata: {},
      toolCallId: "call",
      idempotencyKey: "run:1:call",
    });
    expect(reports[0]).toEqual({ type: "progress", progress: 0.5 });
    expect(reports).toContainEqual({ type: "log", level: "warn", text: "half way" });
    // A thousand more reports came at once: only the newest counts, once the interval has passed.
    expect(reports.filter(({ type }) => type === "progress").length).toBeLessThan(5);
    expect(reports).toContainEqual({ type: "progress", progress: "999" });
  },
);

test.each(["thread", "process"] as const)(
  "a file that cannot be loaded any more is an error of the call, although its %s ends at once",
  async (isolation) => {
    // Often enough for both orders in which the error and the end may be seen.
    for (let time = 0; time < 5; time += 1) {
      await using naughty = open({ source: "file:///nowhere/naughty.ts", isolation });

      expect(await naughty.call("echo")).toMatchObject(failed("could not be loaded.*nowhere"));
    }
  },
);

/** The `sleep 300` that this process, or what it started, began. */
/** No other process of the machine sleeps as long: this very test may run in another folder at the same time. */
const SLEEP_S = `300.${process.pid}`;

function sleepers(): string[] {
  const list = execFileSync("ps", ["-eo", "pid,args"], { encoding: "utf8" }).split("\n");
  return list.filter((line) => line.trim().endsWith(` sleep ${SLEEP_S}`));
}
