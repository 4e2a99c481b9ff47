import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { DeliveryMeter } from "./meter.ts";
import { SocketStream } from "./socket.ts";

test("a socket with an extension is refused: frames that are written past it would break its stream", async () => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: true });
  await once(server, "listening");
  const accepted = once(server, "connection");
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const opened = once(client, "open");
  const [ws, request] = (await accepted) as [WebSocket, { socket: Socket }];
  await opened;
  const meter = new DeliveryMeter();

  expect(() => new SocketStream(ws, request.socket, { meter, slowClientMs: 1_000 })).toThrow("permessage-deflate");

  expect(meter.outflows.size).toBe(0);
  client.terminate();
  server.close();
});
