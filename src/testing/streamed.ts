/** A response of `fetch`, or one that a test made, as `ModelHttp` hands responses to `readEvents`. */
import { Readable } from "node:stream";
import { StreamedResponse } from "../agent/model-http.ts";

export function streamed(response: Response): StreamedResponse {
  const stream = response.body ? Readable.fromWeb(response.body) : Readable.from([]);
  const { status, headers, url } = response;
  return new StreamedResponse(stream, { status, headers, url, redact: (text) => text });
}
