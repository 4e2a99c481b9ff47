/** Opens the server's WebSocket, from a page or from the worker, whose script is in assets/. */

export function openSocket(): WebSocket {
  const { href } = location;
  const url = new URL(new URL(href).pathname.includes("/assets/") ? "../ws" : "ws", href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  // The session's cookie goes along by itself.
  return new WebSocket(url, ["evenkeel"]);
}
