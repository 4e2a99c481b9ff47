/** Tells the time, anywhere. */
import { defineTool, z } from "evenkeel";

export const tool = defineTool({
  description: "The current date and time in a time zone. Use it whenever the answer depends on now.",
  input: z.object({
    timezone: z.string().default("UTC").describe('An IANA time zone, for example "Europe/Berlin".'),
  }),
  effects: "pure",
  run: ({ timezone }) => {
    const now = new Date();
    const local = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, dateStyle: "full", timeStyle: "long" });
    return { utc: now.toISOString(), timezone, local: local.format(now) };
  },
});
