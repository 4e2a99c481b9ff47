/** Spending: tokens and dollars by agent, principal, model or day. */
import { z } from "zod";
import { expecting, wholeNumber } from "./fields.ts";
import { json, route } from "./route.ts";
import { USAGE } from "./runs.ts";

export const SPENDING_KEYS = ["agent", "principal", "model", "day"] as const;

const SPENDING = z
  .object({
    key: z.string().describe("An agent id, a principal, a model, or a day in UTC."),
    calls: z
      .int()
      .describe("The number of model calls. Failed attempts count together with the attempt that succeeded."),
    usage: USAGE,
    dollars: z.number().describe("The cost by the agents' prices at the time. 0 for agents without a price."),
  })
  .meta({ id: "Spending" });

export const READ_USAGE = route({
  method: "GET",
  path: "/api/usage",
  access: "viewer",
  summary: "Show tokens and dollars by agent, principal, model or day",
  description: "A client sees only its own use. The most expensive rows come first; days come newest first.",
  query: z.strictObject({
    by: expecting(z.enum(SPENDING_KEYS), `one of ${SPENDING_KEYS.join(", ")}`).default("agent"),
    days: wholeNumber(1, 3_660).default(30).describe("The number of days in UTC, including today."),
  }),
  answers: {
    200: json(
      z
        .object({
          by: z.enum(SPENDING_KEYS),
          since: z.string().describe("The first day that is included."),
          usage: z.array(SPENDING),
        })
        .meta({ id: "SpendingList" }),
      "At most 1,000 rows.",
    ),
  },
});
