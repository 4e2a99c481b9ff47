#!/usr/bin/env node
// `npx evenkeel …` on any Node ≥ 20. The commands are in src/cli/.
import { run } from "../src/hand-over.js";

await run("src/cli/main.ts");
