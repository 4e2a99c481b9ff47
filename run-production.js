// Makes `node run-production` work as typed, and on any Node ≥ 20. The entry is run-production.ts.
import { run } from "./src/hand-over.js";

await run("run-production.ts");
