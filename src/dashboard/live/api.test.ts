import { afterEach, expect, test, vi } from "vitest";
import { getJson, sendJson } from "./api.ts";
import { isSignedIn, isUsable, locked, noteSignIn, signInMark } from "./key.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  locked.value = false;
});

/** A browser's storage and a server. @returns the headers of each request */
function stub(answer: (init: RequestInit) => Promise<Response>): Headers[] {
  const seen: Headers[] = [];
  const kept = new Map<string, string>();
  vi.stubGlobal("localStorage", {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => kept.set(name, value),
    removeItem: (name: string) => kept.delete(name),
  });
  vi.stubGlobal("fetch", (_path: string, init: RequestInit) => {
    seen.push(new Headers(init.headers));
    return answer(init);
  });
  return seen;
}

/** As fetch does: rejects with the signal's reason. */
function untilAborted({ signal }: RequestInit): Promise<Response> {
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error)));
}

test("a server that does not answer in time cannot be reached", async () => {
  stub(untilAborted);
  await expect(getJson("/x", { signal: AbortSignal.timeout(1) })).rejects.toMatchObject({ code: "UNREACHABLE" });
});

test("an answer that breaks off in the middle is a server that cannot be reached", async () => {
  const broken = new ReadableStream({ start: (controller) => controller.error(new TypeError("network error")) });
  stub(async () => new Response(broken));
  await expect(getJson("/x")).rejects.toMatchObject({ code: "UNREACHABLE" });
});

test("whoever gives a request up hears that, and nothing else", async () => {
  stub(untilAborted);
  const abort = new AbortController();
  const asked = getJson("/x", { signal: abort.signal });
  abort.abort();
  await expect(asked).rejects.toMatchObject({ name: "AbortError" });
});

test("a key goes along only to sign in, and 401 brings the key form", async () => {
  const headers = stub(async () => new Response('{"code":"UNAUTHORIZED","detail":"No."}', { status: 401 }));

  const asked = sendJson("POST", "/x", { key: "maybe" });

  await expect(asked).rejects.toMatchObject({ code: "UNAUTHORIZED", detail: "No." });
  await getJson("/x").catch(() => {});
  expect(headers.map((each) => each.get("Authorization"))).toEqual(["Bearer maybe", null]);
  expect(locked.value).toBe(true);
});

test("each sign-in leaves another mark, and no key stays behind, not even one that an older page has kept", () => {
  vi.useFakeTimers();
  stub(async () => new Response("{}"));
  localStorage.setItem("evenkeel.key", "old");
  noteSignIn(true);
  const first = signInMark();
  vi.advanceTimersByTime(1_000);
  noteSignIn(true);

  expect([first === null, first === signInMark(), isSignedIn.value]).toEqual([false, false, true]);
  expect(localStorage.getItem("evenkeel.key")).toBeNull();
  noteSignIn(false);
  expect([signInMark(), isSignedIn.value]).toEqual([null, false]);
  vi.useRealTimers();
});

test("a key that no header can carry is not usable", () => {
  expect(["abc-123_~!", "two words", "schlüssel", ""].map(isUsable)).toEqual([true, false, false, false]);
});
