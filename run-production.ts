/** Production: WORKERS Koa processes, no file watching. `node run-production` comes here by way of run-production.js. */
import { start } from "./src/entry.ts";

await start("production");
