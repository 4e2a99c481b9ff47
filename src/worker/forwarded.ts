/** What a trusted proxy says about the request that it passes on. */
import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";

export class Forwarded {
  readonly #trusted = new BlockList();

  /** @param networks addresses, or networks such as `10.0.0.0/8` */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = "", prefix] = network.split("/");
      const family = isIP(address) === 6 ? "ipv6" : "ipv4";
      if (prefix === undefined) this.#trusted.addAddress(address, family);
      else this.#trusted.addSubnet(address, Number(prefix), family);
    }
  }

  /** `http` or `https`, as the browser asked the proxy; undefined when no trusted proxy says it. */
  schemeOf(request: IncomingMessage): string | undefined {
    const said = request.headers["x-forwarded-proto"];
    return typeof said === "string" && this.#trusts(peerOf(request)) ? said.split(",", 1)[0]?.trim() : undefined;
  }

  /** The client's address: the last address in the list that is no proxy of ours. */
  addressOf(request: IncomingMessage): string {
    const peer = peerOf(request);
    const said = request.headers["x-forwarded-for"];
    if (typeof said !== "string" || !this.#trusts(peer)) return peer;
    const chain = said.split(",").map((address) => address.trim());
    return chain.findLast((address) => !this.#trusts(address)) ?? peer;
  }

  #trusts(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#trusted.check(address, family === 6 ? "ipv6" : "ipv4");
  }
}

/** A socket for both families shows an IPv4 client as `::ffff:` and its address. */
function peerOf({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? "").replace(/^::ffff:(?=\d)/, "");
}
