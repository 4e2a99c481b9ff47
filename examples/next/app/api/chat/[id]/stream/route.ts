/** The request of `useChat` with `resume: true`, and the request that cancels a chat's answer. */
import { passOn } from "../../evenkeel";

interface Context {
  readonly params: Promise<{ readonly id: string }>;
}

async function handle(request: Request, { params }: Context): Promise<Response> {
  return passOn(request, `/api/chat/${encodeURIComponent((await params).id)}/stream`);
}

export { handle as DELETE, handle as GET };
