import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { HealthProbe } from "./health-probe.ts";
import { HttpServer } from "./server.ts";

const OK: RequestListener = (_request, response) => {
  response.writeHead(200, { "Content-Type": "application/json", "Content-Length": 15 }).end('{"status":"ok"}');
};

async function startProbe(listener: RequestListener) {
  const asked = vi.fn<RequestListener>(listener);
  const server = new HttpServer(asked, () => {});
  await server.listen("127.0.0.1", 0);
  const sockets: Socket[] = [];
  const probe = new HealthProbe((socket) => {
    sockets.push(socket);
    server.adopt(socket);
  });
  await probe.start();
  const dispose = async () => {
    probe.stop();
    await server.drain(0);
  };
  return { probe, server, asked, sockets, [Symbol.asyncDispose]: dispose };
}

/** Nothing else runs in this process meanwhile. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test("health of a busy loop is asked again and again over one connection, and told as percentiles", async () => {
  await using probed = await startProbe(OK);
  // Keeps the process busy, because an idle one is probed only every five seconds.
  const busy = setInterval(() => block(10), 100);
  onTestFinished(() => clearInterval(busy));

  await vi.waitFor(() => expect(probed.asked.mock.calls.length).toBeGreaterThanOrEqual(3), { timeout: 4_000 });

  expect(probed.sockets).toHaveLength(1);
  const { health_p50_ms: p50 = NaN, health_p99_ms: p99 = NaN } = probed.probe.read();
  expect(p50).toBeGreaterThan(0);
  expect(p50).toBeLessThan(20);
  expect(p99).toBeGreaterThanOrEqual(p50);
});

test("a loop that was blocked shows with all the time that clients waited", async () => {
  await using probed = await startProbe(OK);
  await vi.waitFor(() => expect(probed.probe.read()).toHaveProperty("health_p50_ms"));

  block(2_000);
  await vi.waitFor(() => expect(probed.probe.read()["health_p99_ms"]).toBeGreaterThan(700));

  // The questions that were due meanwhile waited 1,000, 750, 500 and 250 ms, although only one was sent, at the end.
  expect(probed.probe.read()["health_p50_ms"]).toBeGreaterThan(150);
});

test("its questions are no requests in flight, so that a drain does not wait for them", async () => {
  const { promise: reached, resolve } = Promise.withResolvers<void>();
  await using probed = await startProbe(() => resolve());
  await reached;

  expect(probed.server.inFlight).toBe(0);
});

test("a question that fails is asked again over a new connection, and tells no latency", async () => {
  await using probed = await startProbe((request) => request.socket.destroy());

  await vi.waitFor(() => expect(probed.sockets.length).toBeGreaterThanOrEqual(2), { timeout: 3_000 });

  expect(probed.probe.read()).toEqual({});
});

test("nobody else gets in at its port", async () => {
  const { promise: port, resolve } = Promise.withResolvers<number>();
  await using probed = await startProbe((request, response) => {
    resolve((request.socket.address() as AddressInfo).port);
    OK(request, response);
  });

  const stranger = connect({ host: "127.0.0.1", port: await port }).on("error", () => {});
  await once(stranger, "close");

  expect(probed.sockets).toHaveLength(1);
});

test("after its stop nothing is asked and its port is free", async () => {
  const { promise: port, resolve } = Promise.withResolvers<number>();
  await using probed = await startProbe((request, response) => {
    resolve((request.socket.address() as AddressInfo).port);
    OK(request, response);
  });
  const freed = await port;

  probed.probe.stop();
  probed.probe.stop();
  const other = createServer().listen(freed, "127.0.0.1");
  await once(other, "listening");
  other.close();

  await vi.waitFor(() => expect(probed.sockets.every(({ destroyed }) => destroyed)).toBe(true));
});

test("another address of this machine does not get in by the probe's port number", async () => {
  await using probed = await startProbe(OK);
  await vi.waitFor(() => expect(probed.sockets).toHaveLength(1));
  const [ours] = probed.sockets;
  const stranger = connect({
    host: "127.0.0.1",
    port: ours?.localPort ?? 0,
    localAddress: "127.0.0.2",
    localPort: ours?.remotePort ?? 0,
  });
  stranger.on("error", () => {});

  await once(stranger, "close");

  expect(probed.sockets).toHaveLength(1);
});
