/**
 * Builds the dashboard into dist/dashboard/, which src/worker/routes/dashboard.ts serves. Every text file is
 * stored compressed beside itself, so that no request pays for it, and a page that has grown too large fails here.
 */
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, gzip } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const OUTPUT = join(import.meta.dirname, "dist/dashboard");
/** The build is made beside the page that is served, and takes its place once it is whole. */
const MADE = `${OUTPUT}.made`;
/** All there is, gzipped: what a first visit that opens every page loads. */
const MAX_GZIP_BYTES = 120_000;
/** From the weakest to the strongest. */
const LAYERS = "@layer tokens,base,components,pages;";
const TEXT = /\.(html|js|css|svg)$/;

export default defineConfig(({ mode }) => {
  // Vite takes NODE_ENV of whoever builds, and would bundle code for development with NODE_ENV=test.
  if (mode === "production") process.env["NODE_ENV"] = "production";
  return {
    root: join(import.meta.dirname, "src/dashboard"),
    // Relative, so that the page also works under a path of a proxy (BASE_PATH).
    base: "./",
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    plugins: [lexerOfMarked(), orderLayers(), finish()],
    worker: { format: "es" },
    build: {
      outDir: MADE,
      emptyOutDir: true,
      target: "es2023",
      minify: mode === "production",
      // [One sheet for all pages is 9.6 kB gzipped; a sheet for each page and component took 5 kB more.]
      cssCodeSplit: false,
      reportCompressedSize: false,
      // Every browser that can read the rest preloads modules by itself.
      modulePreload: { polyfill: false },
      // An inlined asset is a data: URL, which the page's CSP refuses for scripts and workers.
      assetsInlineLimit: 0,
    },
  };
});

/**
 * Of marked the page needs the lexer. The module ends by making an object of all its parts, and no bundler can leave
 * that out: it is cut off here. [3.3 kB gzipped]
 */
function lexerOfMarked(): Plugin {
  const tail =
    /var (\w+)=new \w+;function \w+\(\w+,\w+\)\{return \1\.parse\([^]*export\{[^}]*\b(\w+) as Lexer\b[^}]*[{,](\w+) as Tokenizer\b[^}]*\}/;
  return {
    name: "evenkeel-lexer-of-marked",
    transform(code, id) {
      if (!id.endsWith("/marked/lib/marked.esm.js")) return undefined;
      if (!tail.test(code))
        throw new Error("marked ends otherwise than expected: adapt lexerOfMarked in vite.config.ts.");
      return { code: code.replace(tail, "export{$2 as Lexer,$3 as Tokenizer}"), map: null };
    },
  };
}

/**
 * The sheet begins with the order of the layers. Those of components come first in it, and the first that names a layer
 * would decide its rank.
 */
function orderLayers(): Plugin {
  return {
    name: "evenkeel-order-layers",
    apply: "build",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        for (const file of Object.values(bundle)) {
          if (file.type === "asset" && file.fileName.endsWith(".css")) file.source = LAYERS + String(file.source);
        }
      },
    },
  };
}

function finish(): Plugin {
  let failed = false;
  return {
    name: "evenkeel-finish",
    apply: "build",
    buildEnd: (error) => void (failed = error !== undefined),
    closeBundle: {
      order: "post",
      async handler() {
        if (failed) return;
        this.info(await compress());
        await replacePage();
      },
    },
  };
}

/** @returns how large the page is. @throws Error when it is too large */
async function compress(): Promise<string> {
  const names = (await readdir(MADE, { recursive: true })).filter((name) => TEXT.test(name));
  const sizes = await Promise.all(names.map((name) => compressFile(join(MADE, name))));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const result = `dashboard: ${names.length} files, ${kilobytes(total)} gzipped, at most ${kilobytes(MAX_GZIP_BYTES)}`;
  if (total > MAX_GZIP_BYTES) throw new Error(`The page is too large. ${result}.`);
  return result;
}

/** Two renames: a server that runs meanwhile lacks the page for some microseconds only. */
async function replacePage(): Promise<void> {
  const old = `${OUTPUT}.old`;
  await rm(old, { recursive: true, force: true });
  await rename(OUTPUT, old).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await rename(MADE, OUTPUT);
  await rm(old, { recursive: true, force: true });
}

/** @returns how large it is gzipped */
async function compressFile(path: string): Promise<number> {
  const content = await readFile(path);
  const [gzipped, brotli] = await Promise.all([
    promisify(gzip)(content, { level: 9 }),
    promisify(brotliCompress)(content),
  ]);
  await Promise.all([writeFile(`${path}.gz`, gzipped), writeFile(`${path}.br`, brotli)]);
  return gzipped.length;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(1)} kB`;
}
