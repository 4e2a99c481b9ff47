/** What `engine/open.ts` loads for this driver. */
import type { Driver } from "../driver.ts";
import { openPostgresEngine } from "./open.ts";
import { assertUsable } from "./pooler.ts";

export const postgres: Driver = {
  open: openPostgresEngine,
  // Any number of servers share one database, so there is nothing to lock. The database has to answer, though.
  lock: async ({ database }) => {
    if (database) await assertUsable(database);
    return { release: () => {} };
  },
};
