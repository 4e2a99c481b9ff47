import { afterEach, expect, test, vi } from "vitest";
import { getJson } from "./api.ts";
import { hasSecret, isUsable, keepSecret, locked, secret } from "./key.ts";

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

test("a key is tried without being kept, and 401 brings the key form", async () => {
  const headers = stub(async () => new Response('{"code":"UNAUTHORIZED","detail":"No."}', { status: 401 }));
  await expect(getJson("/x", { secret: "maybe" })).rejects.toMatchObject({ code: "UNAUTHORIZED", detail: "No." });
  expect(headers[0]?.get("Authorization")).toBe("Bearer maybe");
  expect([secret(), locked.value]).toEqual([null, true]);
});

test("a key that is kept goes along, and can be forgotten", async () => {
  const headers = stub(async () => new Response("{}"));
  keepSecret("right");
  await getJson("/x");
  expect([headers[0]?.get("Authorization"), hasSecret.value]).toEqual(["Bearer right", true]);
  keepSecret(null);
  await getJson("/x");
  expect([headers[1]?.get("Authorization"), hasSecret.value]).toEqual([null, false]);
});

test("a key that no header can carry is none, even if an older page has kept it", () => {
  stub(async () => new Response("{}"));
  keepSecret("schlüssel");
  expect(secret()).toBeNull();
  expect(["abc-123_~!", "two words", "schlüssel", ""].map(isUsable)).toEqual([true, false, false, false]);
});
