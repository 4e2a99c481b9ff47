import { once } from "node:events";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { HttpServer } from "./server.ts";

const REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

test("a request that came while the process had no time is answered, although idle connections are closed next", async () => {
  const server = new HttpServer(
    (_request, response) => response.end("served"),
    () => {},
  );
  const socket = connect(await server.listen("127.0.0.1", 0), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let answer = "";
  socket.setEncoding("utf8").on("data", (text) => (answer += String(text)));
  socket.on("error", () => {});
  socket.write(REQUEST);
  await once(socket, "data");

  answer = "";
  const closed = once(socket, "close");
  const drained = server.drain(5_000);
  socket.write(REQUEST);
  // Longer than the second after which idle connections are closed.
  spin(1_200);
  await Promise.all([drained, closed]);

  expect(answer).toContain("served");
});

/** Blocks the event loop. */
function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end) continue;
}
