// Makes `node run-production` work as typed, and on any Node ≥ 20. The entry is run-production.ts.
import { run } from "./bin/hand-over.js";

await run(new URL("./run-production.ts", import.meta.url));
