/**
 * Reads a page or a file from the public internet. Every name is resolved here, each of its addresses has to be public,
 * and the connection goes to an address that was checked; so do redirects. So no model can reach your own network.
 */
import { lookup, type LookupAddress } from "node:dns";
import { request as requestHttp, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { BlockList, isIP } from "node:net";
import { defineTool, z } from "evenkeel";

const MAX_REDIRECTS = 5;
const MAX_BYTES = 2 * 1024 * 1024;
const MAX_CHARACTERS = 64 * 1024;

export const tool = defineTool({
  description:
    "Reads a web page or a text file by its public URL. HTML comes as plain text. At most 64,000 characters.",
  input: z.object({ url: z.url({ protocol: /^https?$/ }).describe("An http or https URL.") }),
  effects: "idempotent",
  timeoutMs: 30_000,
  run: ({ url }, { signal }) => readUrl(new URL(url), { signal }),
});

export interface ReadOptions {
  readonly signal: AbortSignal;
  /** Tests read from this machine. */
  readonly isAllowed?: (address: string) => boolean;
}

export async function readUrl(url: URL, { signal, isAllowed = isPublic }: ReadOptions): Promise<string> {
  let at = url;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
    const response = await get(at, { signal, isAllowed });
    const { statusCode: status = 0, headers } = response;
    if (status < 300 || status > 399 || headers.location === undefined) return textOf(response, at);
    response.destroy();
    at = new URL(headers.location, at);
    if (!/^https?:$/.test(at.protocol)) throw new Error(`${url.href} redirects to ${at.protocol}, which is not read.`);
  }
  throw new Error(`${url.href} redirects more than ${MAX_REDIRECTS} times.`);
}

function get(url: URL, { signal, isAllowed }: Required<ReadOptions>): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  // An address in the URL itself is not resolved, so `lookup` below would not see it.
  const literal = url.hostname.replaceAll(/[[\]]/g, "");
  if (isIP(literal) !== 0 && !isAllowed(literal)) throw refused(url.hostname);
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  const headers = {
    "User-Agent": "evenkeel",
    Accept: "text/html, text/*, application/json",
    "Accept-Encoding": "identity",
  };
  const outgoing = request(url, {
    signal,
    headers,
    // No pooled connection: each request looks up and checks for itself.
    agent: false,
    lookup: (hostname, options, done) => {
      lookup(hostname, { ...options, all: true }, (error, addresses) => {
        if (error) return done(error, []);
        if (!addresses.every(({ address }) => isAllowed(address))) return done(refused(hostname), []);
        return options.all ? done(null, addresses) : answerOne(addresses, done);
      });
    },
  });
  outgoing.on("response", resolve).on("error", reject).end();
  return promise;
}

function answerOne(
  addresses: readonly LookupAddress[],
  done: (e: null, address: string, family?: number) => void,
): void {
  const [first] = addresses;
  done(null, first?.address ?? "", first?.family);
}

function refused(host: string): Error {
  return new Error(`${host} is not on the public internet. Only public addresses are read.`);
}

async function textOf(response: IncomingMessage, url: URL): Promise<string> {
  const { statusCode, headers } = response;
  const type = headers["content-type"] ?? "";
  if (headers["content-encoding"] !== undefined && headers["content-encoding"] !== "identity")
    throw new Error(`${url.href} sends ${headers["content-encoding"]}, though it was asked for plain bytes.`);
  if (type !== "" && !/^(text\/|application\/(json|xml|[a-z0-9.+-]*\+(json|xml)|javascript))/i.test(type))
    throw new Error(`${url.href} is ${type}, which is no text.`);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    // Leaving the loop destroys the response.
    if (bytes >= MAX_BYTES) break;
  }
  const body = decode(Buffer.concat(chunks), type);
  const text = /html/i.test(type) ? textOfHtml(body) : body;
  const cut = text.length > MAX_CHARACTERS || bytes >= MAX_BYTES ? "\n[cut: the page is longer]" : "";
  return `${url.href} (${statusCode})\n\n${text.slice(0, MAX_CHARACTERS)}${cut}`;
}

function decode(bytes: Buffer, type: string): string {
  const [, charset = "utf-8"] = /charset="?([\w-]+)/i.exec(type) ?? [];
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return bytes.toString("utf8");
  }
}

const ENTITIES = new Map(Object.entries({ amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " }));

/** Makes text for reading, not HTML for showing: the rest of the markup is harmless text. */
export function textOfHtml(html: string): string {
  return withoutHidden(html)
    .replaceAll(/<(br|\/p|\/div|\/li|\/tr|\/h[1-6]|\/section|\/article)\b[^<>]*>/gi, "\n")
    .replaceAll(/<[^<>]*>/g, " ")
    .replaceAll(/&(#x[\da-f]{1,6}|#\d{1,7}|[a-z]{2,6});/gi, (whole, name: string) => entity(name) ?? whole)
    .replaceAll(/[^\S\n]+/g, " ")
    .replaceAll(/ ?\n[\s]*/g, "\n")
    .trim();
}

/**
 * Removes comments and hidden elements in one pass, so that a page of unclosed tags takes no longer than another
 * page.
 */
function withoutHidden(html: string): string {
  const beginning = /<(?:!--|(script|style|noscript|template|svg)\b)/gi;
  let [text, at] = ["", 0];
  for (;;) {
    beginning.lastIndex = at;
    const begun = beginning.exec(html);
    if (!begun) return text + html.slice(at);
    text += `${html.slice(at, begun.index)} `;
    const [whole, element] = begun;
    const end = new RegExp(element === undefined ? "-->" : `</${element}`, "gi");
    end.lastIndex = begun.index + whole.length;
    const ended = end.exec(html);
    // What never ends hides all that follows, as in a browser.
    if (!ended) return text;
    at = element === undefined ? end.lastIndex : ended.index;
  }
}

function entity(name: string): string | undefined {
  if (!name.startsWith("#")) return ENTITIES.get(name.toLowerCase());
  const code = name[1] === "x" || name[1] === "X" ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
  return code <= 0x10_ff_ff ? String.fromCodePoint(code) : undefined;
}

/** https://www.iana.org/assignments/iana-ipv4-special-registry, and its counterpart for IPv6. */
const NOT_PUBLIC = new BlockList();
const RANGES4 =
  "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 " +
  "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4";
// Ranges of 2000::/3 (the public addresses) that are refused: Teredo, documentation, and 6to4, which carries an IPv4
// address.
const RANGES6 = "2001::/23 2001:db8::/32 2002::/16 3fff::/20";
for (const range of RANGES4.split(" ")) addRange(range, "ipv4");
for (const range of RANGES6.split(" ")) addRange(range, "ipv6");
const PUBLIC6 = new BlockList();
PUBLIC6.addSubnet("2000::", 3, "ipv6");

function addRange(range: string, family: "ipv4" | "ipv6"): void {
  const [network = "", bits] = range.split("/");
  NOT_PUBLIC.addSubnet(network, Number(bits), family);
}

export function isPublic(address: string): boolean {
  if (isIP(address) === 4) return !NOT_PUBLIC.check(address, "ipv4");
  // Addresses of IPv4 in IPv6 (::ffff:127.0.0.1, 64:ff9b::) lie outside 2000::/3.
  return isIP(address) === 6 && PUBLIC6.check(address, "ipv6") && !NOT_PUBLIC.check(address, "ipv6");
}
