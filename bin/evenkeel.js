#!/usr/bin/env node
// `npx evenkeel …` on any Node ≥ 20. The commands are in src/cli/, in the package as JavaScript in lib/cli/.
import { existsSync } from "node:fs";
import { run } from "./hand-over.js";

const source = new URL("../src/cli/main.ts", import.meta.url);
await run(existsSync(source) ? source : new URL("../lib/cli/main.js", import.meta.url));
