/** What `useChat` takes as `messages` when a page is opened again. */
import { passOn } from "../../evenkeel";

interface Context {
  readonly params: Promise<{ readonly id: string }>;
}

export async function GET(request: Request, { params }: Context): Promise<Response> {
  return passOn(request, `/api/chat/${encodeURIComponent((await params).id)}/messages`);
}
