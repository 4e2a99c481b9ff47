/** Errors as every route answers them: `application/problem+json` (RFC 9457). */
import { z } from "zod";
import { ERROR_CODES } from "../core/errors.ts";

const CODE = z.enum(ERROR_CODES).describe("The error code. docs/errors.md says when it occurs.");

/** The part of an error that is stored with a run, and sent over `/ws`. */
export const ERROR_INFO = z.object({ code: CODE, detail: z.string() }).meta({ id: "ErrorInfo" });

export const PROBLEM = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: CODE,
    detail: z.string().describe("What failed and what to send instead."),
    request_id: z.string(),
    run_id: z.string().exactOptional().describe("The run that failed, or that still runs."),
  })
  .meta({ id: "Problem" });

export type ErrorInfo = Readonly<z.output<typeof ERROR_INFO>>;
export type Problem = Readonly<z.output<typeof PROBLEM>>;
