/**
 * What the parts of the engine contract share: how an engine is opened, and the runs, claims and steps
 * that a test starts from. It knows the Engine interface and no driver.
 */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { vi } from "vitest";
import type { RunEvent } from "../../core/event.ts";
import type { StoredFile } from "../../core/file.ts";
import type { StoredMessage } from "../../core/message.ts";
import { newId } from "../../core/id.ts";
import type { NewRun, Owner, Run } from "../../core/run.ts";
import type { Claim, Engine, EngineLimits, Step } from "../engine.ts";

export interface OpenedEngine extends AsyncDisposable {
  readonly engine: Engine;
  /** A second handle on the same data, as another process would hold one. Closed together with the first. */
  another(): Promise<Engine>;
}

/** Opens an engine on empty data of its own. Without `limits` the engine has room for any test. */
export type OpenEngine = (limits?: EngineLimits) => Promise<OpenedEngine>;

/** Long enough that no lease runs out in a test, unless the test asks for that. */
export const LEASE_MS = 60_000;

export function newRun(overrides: Partial<NewRun> = {}): NewRun {
  return {
    runId: newId("run"),
    threadId: newId("thread"),
    agentId: "assistant",
    parentRunId: null,
    message: "hello",
    strategy: "enqueue",
    timeoutMs: null,
    metadata: {},
    principal: "ana",
    idempotencyKey: null,
    runIdChosen: false,
    fingerprint: "body 1",
    ...overrides,
  };
}

export async function enqueue(engine: Engine, overrides: Partial<NewRun> = {}): Promise<Run> {
  const { run } = await engine.enqueue(newRun(overrides));
  return run;
}

/** An agent process of the contract's only server, which is in its first life. */
export function ownerOf(process: string): Owner {
  return { machine: "machine 1", boot: "boot 1", process };
}

/** The owner's runs that are to be canceled, the newest first. */
export async function canceledOf(engine: Engine, process: string): Promise<string[]> {
  const { items } = await engine.runs({ limit: 100, status: "running" });
  const runIds = items.map(({ run_id }) => run_id);
  const owned = await engine.extend({ owner: ownerOf(process), runIds, leaseMs: LEASE_MS });
  return runIds.filter((runId) => owned.get(runId)?.cancelRequested);
}

/** Takes the next run in line. */
export async function claimNext(engine: Engine, { owner = "owner 1", leaseMs = LEASE_MS } = {}): Promise<Claim> {
  const [claim] = await engine.claim({ owner: ownerOf(owner), limit: 1, leaseMs });
  if (!claim) throw new Error("There was nothing to claim.");
  return claim;
}

/** Takes the next run as soon as its lease has run out. The upkeep moves the lease clock, so this calls it. */
export async function claimExpired(engine: Engine, options: Parameters<typeof claimNext>[1] = {}): Promise<Claim> {
  const claim = async () => {
    await engine.maintain();
    return claimNext(engine, options);
  };
  return vi.waitFor(claim, { interval: 5, timeout: 5_000 });
}

/** A run that is under way: enqueued and claimed. */
export async function start(engine: Engine, overrides: Partial<NewRun> & { owner?: string } = {}): Promise<Claim> {
  const { owner, ...request } = overrides;
  const { run_id: runId } = await enqueue(engine, request);
  const claim = await claimNext(engine, owner === undefined ? {} : { owner });
  if (claim.run.run_id !== runId) throw new Error(`Claimed ${claim.run.run_id} instead of ${runId}.`);
  return claim;
}

export function stepOf({ run, fence }: Claim, content: Partial<Omit<Step, "runId" | "fence">> = {}): Step {
  return { runId: run.run_id, fence, events: [], ...content };
}

export async function complete(engine: Engine, claim: Claim, reply = "done"): Promise<void> {
  await engine.settle(stepOf(claim), { status: "completed", reply });
}

/** A file of that text. */
export async function save(
  { files }: Pick<Engine, "files">,
  text: string,
  overrides: Partial<StoredFile> = {},
): Promise<StoredFile> {
  const path = join(await files.incoming(), newId("upload"));
  await writeFile(path, text);
  return files.save({
    path,
    file_id: newId("file"),
    principal: "ana",
    name: "notes.txt",
    media_type: "text/plain",
    bytes: text.length,
    sha256: createHash("sha256").update(text).digest("hex"),
    created_at: 1,
    ...overrides,
  });
}

/** The thread with all its messages, read page by page. */
export async function threadOf(engine: Engine, threadId: string, limit = 500) {
  const thread = await engine.thread(threadId);
  const messages: StoredMessage[] = [];
  let before: number | undefined;
  for (;;) {
    const { items, next } = await engine.messages(threadId, { limit, ...(before !== undefined && { before }) });
    messages.unshift(...items.map((json) => JSON.parse(json) as StoredMessage));
    if (next === null) return thread && { ...thread, messages };
    before = next;
  }
}

/** An event that is told apart from others by its text. */
export function delta(text: string, messageId = "msg_1"): RunEvent {
  return { type: "TEXT_MESSAGE_CONTENT", messageId, delta: text };
}

/** What a client sees of a journal row. */
export type ReadEvent = Readonly<Record<string, unknown>> & { readonly seq: number; readonly type: string };

export async function journalOf(engine: Engine, runId: string): Promise<ReadEvent[]> {
  const rows = await engine.events(runId, 0, { limit: 100_000 });
  return rows.map(({ data }) => JSON.parse(data) as ReadEvent);
}

export async function typesOf(engine: Engine, runId: string): Promise<string[]> {
  const journal = await journalOf(engine, runId);
  return journal.map(({ type, name }) => (typeof name === "string" ? name : type));
}

export function numbersTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}
