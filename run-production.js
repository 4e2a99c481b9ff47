// Production: WORKERS Koa processes, no file watching. Plain JavaScript, because Node < 24 must be able to read it.
import { runEntry } from "./src/entry.js";

await runEntry("production");
