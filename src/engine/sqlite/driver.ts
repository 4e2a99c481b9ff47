/** What `engine/open.ts` loads for this driver. */
import type { Driver } from "../driver.ts";
import { lockFolder } from "./lock.ts";
import { openSqliteEngine } from "./open.ts";

export const sqlite: Driver = {
  open: openSqliteEngine,
  lock: ({ dataDir }) => lockFolder(dataDir),
};
