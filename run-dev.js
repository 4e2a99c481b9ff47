// Makes `node run-dev` work as typed, and on any Node ≥ 20. The entry is run-dev.ts.
import { run } from "./bin/hand-over.js";

await run(new URL("./run-dev.ts", import.meta.url));
