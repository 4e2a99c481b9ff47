/**
 * Next.js in front of evenkeel: the browser talks to your application, which knows its users; the key stays on your
 * server. `useChat` with its default transport posts here. Copy it to `app/api/chat/route.ts`, with `evenkeel.ts` beside.
 */
import { passOn } from "./evenkeel";

export function POST(request: Request): Promise<Response> {
  return passOn(request, "/api/chat?agent=assistant");
}
