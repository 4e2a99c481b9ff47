/** A tool that does what a bad tool does, one deed for each call. */
export { tool } from "../../../src/agent/tools/fixtures/naughty.ts";
