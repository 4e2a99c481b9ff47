/**
 * The parts of the Anthropic SDK that run here. Loaded with `require`, because the CommonJS build loads faster than the
 * 250 ES modules. [145 ms of CPU against 215.] Each build has classes of its own, so compare errors with the classes of
 * this module.
 */
import type * as Sdk from "@anthropic-ai/sdk";
import { createRequire } from "node:module";

export const { Anthropic, APIConnectionError, APIError, APIUserAbortError } = createRequire(import.meta.url)(
  "@anthropic-ai/sdk",
) as typeof Sdk;
export type Anthropic = Sdk.Anthropic;
export type APIError = Sdk.APIError;
