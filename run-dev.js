// Development: one watched worker, reloaded on change; RELOAD=false makes it behave like production.
import { runEntry } from "./src/entry.js";

await runEntry("dev");
