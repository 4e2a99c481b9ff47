// What npm runs at the end of `npm ci` in the repository (the script `dependencies`, which is no part of an install of the
// package): builds the dashboard, unless --omit=dev or --omit=optional left out what builds it. (The native part of Vite's
// builder is an optional dependency.)
import { existsSync } from "node:fs";

const vite = await import("vite").catch(() => undefined);
if (vite) await vite.build({ configFile: "vite.config.ts" });
// After `npm prune --omit=dev` the dashboard is there, and so is nothing that could build it again.
else if (!existsSync("dist/dashboard/index.html"))
  console.log(
    "The dashboard is not built, because what builds it was left out. The API works without it. To have it as well, run " +
      "`npm ci`, then `npm prune --omit=dev` if you like.",
  );
