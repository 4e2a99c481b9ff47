/** Opens the server's WebSocket, from a page or from the worker: the script of the latter lies in assets/. */

export function openSocket(): WebSocket {
  const url = new URL(location.pathname.includes("/assets/") ? "../ws" : "ws", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  // The session's cookie goes along by itself.
  return new WebSocket(url, ["evenkeel"]);
}
