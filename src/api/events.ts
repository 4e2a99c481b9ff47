/**
 * The events of a run's journal: AG-UI's own schemas, those of the events that we send, and the `seq` that we add. Used
 * only to make the document (`openapi.ts`): a worker sends rows of the journal as they are.
 */
import {
  CustomEventSchema,
  ReasoningEndEventSchema,
  ReasoningMessageContentEventSchema,
  ReasoningMessageEndEventSchema,
  ReasoningMessageStartEventSchema,
  ReasoningStartEventSchema,
  RunErrorEventSchema,
  RunFinishedEventSchema,
  RunStartedEventSchema,
  StepFinishedEventSchema,
  StepStartedEventSchema,
  TextMessageContentEventSchema,
  TextMessageEndEventSchema,
  TextMessageStartEventSchema,
  ToolCallArgsEventSchema,
  ToolCallEndEventSchema,
  ToolCallResultEventSchema,
  ToolCallStartEventSchema,
} from "@ag-ui/core/schemas";
import { z } from "zod";

const SCHEMAS = [
  RunStartedEventSchema,
  RunFinishedEventSchema,
  RunErrorEventSchema,
  StepStartedEventSchema,
  StepFinishedEventSchema,
  TextMessageStartEventSchema,
  TextMessageContentEventSchema,
  TextMessageEndEventSchema,
  ReasoningStartEventSchema,
  ReasoningMessageStartEventSchema,
  ReasoningMessageContentEventSchema,
  ReasoningMessageEndEventSchema,
  ReasoningEndEventSchema,
  ToolCallStartEventSchema,
  ToolCallArgsEventSchema,
  ToolCallEndEventSchema,
  ToolCallResultEventSchema,
  CustomEventSchema,
] as const;

const SEQ = z.object({ seq: z.int().describe("The position in the run's journal, from 1 to n without a gap.") });

export const RUN_EVENT = z
  .intersection(SEQ, z.union(SCHEMAS))
  .describe("An event of AG-UI 1.0 and its position in the journal.")
  .meta({ id: "RunEvent" });
