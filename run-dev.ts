/** Development: one watched worker, reloaded on change; RELOAD=false makes it behave like production. */
import { start } from "./src/entry.ts";

await start("dev");
