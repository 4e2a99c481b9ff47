/**
 * `npx vite examples/react-use-chat --config examples/vite.config.ts`: the page on port 5173, with the API of the
 * evenkeel that EVENKEEL names under the page's own origin, as it will be behind your proxy in production.
 */
import { defaultClientConditions, defineConfig } from "vite";

const target = process.env["EVENKEEL"] ?? "http://localhost:8000";

/** In this repository "evenkeel" is its sources; a project of yours has it installed, and needs neither line. */
const conditions = ["evenkeel-source", ...defaultClientConditions];

export default defineConfig({
  resolve: { conditions },
  oxc: { jsx: { runtime: "automatic", importSource: "react" } },
  // An object, because for a string Vite changes `Host`, which has to fit `Origin`: evenkeel refuses what a page of
  // another origin sends.
  server: { proxy: { "/api": { target } } },
});
