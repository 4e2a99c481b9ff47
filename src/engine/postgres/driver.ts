/** What `engine/open.ts` loads of this driver. */
import type { Driver } from "../driver.ts";
import { assertAnswers, openPostgresEngine } from "./open.ts";

export const postgres: Driver = {
  open: openPostgresEngine,
  // Any number of trees share one database: there is nothing to lock, but it has to answer.
  lock: async ({ database }) => {
    if (database) await assertAnswers(database);
    return { release: () => {} };
  },
};
