// Makes `node run-dev` work as typed, and on any Node ≥ 20. The entry is run-dev.ts.
import { run } from "./src/hand-over.js";

await run("run-dev.ts");
