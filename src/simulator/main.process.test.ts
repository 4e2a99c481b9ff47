/** The real entry as a real process, under Node's own type stripping. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CHANNEL_FD, CHILD_LIMITS, SocketChannel } from "../process/channel.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

interface Simulator extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly channel: SocketChannel;
  readonly port: number;
  readonly exit: Promise<unknown[]>;
}

/** Starts the simulator as the primary does: with its end of a channel at file descriptor 3. */
async function forkSimulator(): Promise<Simulator> {
  const child = spawn(process.execPath, [MAIN, "--port", "0"], { stdio: ["ignore", "inherit", "inherit", "pipe"] });
  const exit = once(child, "exit");
  const channel = new SocketChannel(child.stdio[CHANNEL_FD] as Socket, { limits: CHILD_LIMITS });
  const first = Promise.withResolvers<unknown>();
  channel.listen({ onMessage: first.resolve, onClose: () => {} });
  await channel.send({ type: "settings", settings: {} });
  const message = (await first.promise) as { type: string; port: number };
  expect(message.type).toBe("ready");
  const dispose = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exit;
  };
  return { child, channel, port: message.port, exit, [Symbol.asyncDispose]: dispose };
}

test("a forked simulator says its port and answers there", async () => {
  await using sim = await forkSimulator();
  const response = await fetch(`http://127.0.0.1:${sim.port}/sim/stats`);
  expect(await response.json()).toMatchObject({ requests: 0 });
});

test("signals to the process group do not end it, its parent's word does", async () => {
  await using sim = await forkSimulator();
  const answers = async (): Promise<number> => (await fetch(`http://127.0.0.1:${sim.port}/sim/stats`)).status;
  // An answer means that the boot is over. Signals during the boot are tested in src/process/.
  expect(await answers()).toBe(200);
  sim.child.kill("SIGINT");
  sim.child.kill("SIGTERM");
  expect(await answers()).toBe(200);
  await sim.channel.send({ type: "drain", within_ms: 1_000, others_serve: false });
  expect(await sim.exit).toEqual([0, null]);
});

test("it ends when its parent lets go of it, with a stream still open", async () => {
  await using sim = await forkSimulator();
  const messages = [{ role: "user", content: "/sim ttft=0 stall" }];
  const response = await fetch(`http://127.0.0.1:${sim.port}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": "any" },
    body: JSON.stringify({ model: "m", max_tokens: 9, stream: true, messages }),
  });
  expect(response.status).toBe(200);
  sim.channel.close();
  await sim.exit;
  await expect(response.text()).rejects.toThrow(/./);
});

test("run by hand it prints its address", async () => {
  const child = spawn(process.execPath, [MAIN]);
  const exit = once(child, "exit");
  try {
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    expect(line.toString()).toMatch(/^Simulated model listening on http:\/\/127\.0\.0\.1:\d+\n$/);
  } finally {
    child.kill("SIGTERM");
  }
  expect(await exit).toEqual([null, "SIGTERM"]);
});

test("bad arguments end it with 78, every problem named, without a stack", async () => {
  const child = spawn(process.execPath, [MAIN, "--port", "http", "--rate", "fast"]);
  const exit = once(child, "exit");
  const said = (await child.stderr.toArray()).join("");
  expect(await exit).toEqual([78, null]);
  expect(said.split("\n")).toEqual([
    'evenkeel simulator: Expected `--port` to be a whole number from 0 to 65535, got "http"',
    'Expected `--rate` to be a whole number from 0 to 1000000, got "fast"',
    "",
  ]);
});
