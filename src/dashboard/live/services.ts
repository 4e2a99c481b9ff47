/**
 * The two ways to the server, as pages hand them to their models: requests, and the live connection. Models take
 * them by argument and import neither, so that a test gives them `FakeServices` instead.
 */
import { getJson, sendJson } from "./api.ts";
import { uploadFile } from "./files.ts";
import { call, subscribe } from "./live.ts";

export interface Services {
  readonly api: { readonly get: typeof getJson; readonly send: typeof sendJson; readonly upload: typeof uploadFile };
  readonly live: { readonly subscribe: typeof subscribe; readonly call: typeof call };
}

export type Live = Services["live"];

/** The services of this page. */
export const services: Services = {
  api: { get: getJson, send: sendJson, upload: uploadFile },
  live: { subscribe, call },
};
