/** Opens the server's WebSocket, from a page or from the worker: the script of the latter lies in assets/. */

export function openSocket(secret: string | null): WebSocket {
  const url = new URL(location.pathname.includes("/assets/") ? "../ws" : "ws", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return new WebSocket(url, protocolsOf(secret));
}

/**
 * A browser cannot set a header on a WebSocket, and a key in the URL would end up in access logs. So the key is
 * offered as a subprotocol, which is a header; the server chooses "evenkeel" and never echoes the key.
 */
function protocolsOf(secret: string | null): string[] {
  return secret === null ? ["evenkeel"] : ["evenkeel", `evenkeel.key.${base64url(secret)}`];
}

function base64url(text: string): string {
  const latin1 = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(latin1).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
