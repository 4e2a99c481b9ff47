/** Spending: tokens and dollars by agent, principal, model or day. */
import { z } from "zod";
import { expecting, wholeNumber } from "./fields.ts";
import { json, route } from "./route.ts";
import { USAGE } from "./runs.ts";

export const SPENDING_KEYS = ["agent", "principal", "model", "day"] as const;

const SPENDING = z
  .object({
    key: z.string().describe("An agent id, a principal, a model, or a day of UTC."),
    calls: z.int().describe("Model calls, those that came to nothing counted with the one that did."),
    usage: USAGE,
    dollars: z.number().describe("By the prices of the agents at the time; 0 for agents without one."),
  })
  .meta({ id: "Spending" });

export const READ_USAGE = route({
  method: "GET",
  path: "/api/usage",
  access: "viewer",
  summary: "Tokens and dollars by agent, principal, model or day",
  description: "A client sees what it spent itself. Those that cost most come first; days come newest first.",
  query: z.strictObject({
    by: expecting(z.enum(SPENDING_KEYS), `one of ${SPENDING_KEYS.join(", ")}`).default("agent"),
    days: wholeNumber(1, 3_660).default(30).describe("Of UTC, up to and with today."),
  }),
  answers: {
    200: json(
      z
        .object({
          by: z.enum(SPENDING_KEYS),
          since: z.string().describe("The first day that counts."),
          usage: z.array(SPENDING),
        })
        .meta({ id: "SpendingList" }),
      "At most 1,000 rows.",
    ),
  },
});
