/**
 * The built dashboard in memory, each file with its compressed forms: 60 small files, 0.3 MB a worker. A request reads
 * nothing from the disk. So no build that runs meanwhile, and no lack of file descriptors, can make a request fail, and
 * all files are of one build until this process ends. Used by `routes/dashboard.ts`.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface PageFile {
  readonly type: string;
  readonly etag: string;
  readonly body: Buffer;
  /** The compressed forms that the build stored, by Content-Encoding. */
  readonly encoded: ReadonlyMap<"br" | "gzip", Buffer>;
}

type Files = ReadonlyMap<string, PageFile>;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

const ENCODINGS = [
  ["br", "br"],
  ["gzip", "gz"],
] as const;

export class PageFiles {
  readonly #folder: string;
  readonly #live: boolean;
  #loaded: Promise<Files> | undefined;

  /** @param live for development: read the files anew for each request, because builds come and go */
  constructor(folder: string, { live }: { live: boolean }) {
    this.#folder = folder;
    this.#live = live;
    // Load now, not at the first request: workers that load at different times could serve pages of different builds.
    if (!live) this.#loadOnce().catch(() => {});
  }

  /** By its path below the folder, for example "index.html". Rejects when the page was never built. */
  async find(name: string): Promise<PageFile | undefined> {
    const files = await (this.#live ? this.#load() : this.#loadOnce());
    return files.get(name);
  }

  #loadOnce(): Promise<Files> {
    this.#loaded ??= this.#load().catch((error: unknown) => {
      // The page is not built, or is just being built: the next request looks again.
      this.#loaded = undefined;
      throw error;
    });
    return this.#loaded;
  }

  async #load(): Promise<Files> {
    const names = await readdir(this.#folder, { recursive: true });
    const known = names.filter((name) => TYPES[extensionOf(name)] !== undefined);
    // A running build has emptied the folder first.
    if (!known.includes("index.html")) throw new Error(`There is no index.html in ${this.#folder}.`);
    return new Map(await Promise.all(known.map(async (name) => [name, await this.#read(name)] as const)));
  }

  async #read(name: string): Promise<PageFile> {
    const path = join(this.#folder, name);
    const body = await readFile(path);
    const encoded = new Map<"br" | "gzip", Buffer>();
    // While somebody works on the page, its compressed forms may be half written, so ignore them.
    for (const [encoding, extension] of this.#live ? [] : ENCODINGS) {
      const content = await readFile(`${path}.${extension}`).catch(() => undefined);
      if (content) encoded.set(encoding, content);
    }
    // A weak ETag, because it is the same for each of the encodings (RFC 9110 § 8.8.1).
    const etag = `W/"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
    return { type: TYPES[extensionOf(name)] ?? "application/octet-stream", etag, body, encoded };
  }
}

function extensionOf(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}
