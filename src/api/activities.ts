/** The activity feed: reading it, and posting a notice to it. */
import { z } from "zod";
import { ACTIVITY_TYPES } from "../core/activity.ts";
import { MAX_NOTICE_CHARACTERS, MAX_NOTICE_ROLE_CHARACTERS } from "../core/limits.ts";
import { EPOCH_MS, NEXT, PAGE, position, text } from "./fields.ts";
import { empty, json, route } from "./route.ts";

const ACTIVITY = z
  .object({
    seq: z.int().describe("The position in the feed of the whole server, not in a run's journal."),
    at: EPOCH_MS,
    type: z.enum(ACTIVITY_TYPES),
    agent_id: z.string().nullable(),
    thread_id: z.string().nullable(),
    run_id: z.string().nullable(),
    detail: z.record(z.string(), z.unknown()),
  })
  .meta({ id: "Activity" });

export type Activity = Readonly<z.output<typeof ACTIVITY>>;

const NOTICE = z
  .strictObject({ role: text(MAX_NOTICE_ROLE_CHARACTERS), content: text(MAX_NOTICE_CHARACTERS) })
  .meta({ id: "Notice" });

export const READ_ACTIVITIES = route({
  method: "GET",
  path: "/api/activities",
  access: "viewer",
  lane: "fast",
  summary: "Activities, newest first",
  query: z.strictObject({
    ...PAGE,
    after: position().optional().describe("Only activities with a greater `seq`."),
    agent_id: z.string().optional(),
    thread_id: z.string().optional(),
    run_id: z.string().optional(),
    type: z.enum(ACTIVITY_TYPES).optional(),
  }),
  answers: {
    200: json(
      z.object({ activities: z.array(ACTIVITY), next: NEXT }).meta({ id: "ActivityList" }),
      "A page of the feed.",
    ),
    304: empty("The feed has not changed since the answer that `If-None-Match` names."),
  },
});

export const POST_NOTICE = route({
  method: "POST",
  path: "/api/activities",
  access: "admin",
  summary: "Post a notice to the feed and to every dashboard",
  query: z.strictObject({}),
  body: NOTICE,
  answers: { 201: json(ACTIVITY, "The activity that was made of the notice.") },
  errors: ["INVALID_JSON", "UNSUPPORTED_MEDIA_TYPE", "BODY_TOO_LARGE"],
});
