/** What `engine/open.ts` loads of this driver. */
import type { Driver } from "../driver.ts";
import { openPostgresEngine } from "./open.ts";

export const postgres: Driver = {
  open: openPostgresEngine,
  // Any number of trees share one database.
  lock: () => ({ release: () => {} }),
};
