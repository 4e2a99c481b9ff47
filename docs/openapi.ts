/** `npm run openapi`: writes docs/openapi.json anew from the contract in src/api/. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openApi } from "../src/api/openapi.ts";
import { VERSION } from "../src/version.ts";

writeFileSync(join(import.meta.dirname, "openapi.json"), `${JSON.stringify(openApi(VERSION), null, 2)}\n`);
