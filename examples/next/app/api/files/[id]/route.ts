/** Pictures of users and tools, whose paths are in the messages. */
import { passOn } from "../../chat/evenkeel";

interface Context {
  readonly params: Promise<{ readonly id: string }>;
}

export async function GET(request: Request, { params }: Context): Promise<Response> {
  return passOn(request, `/api/files/${encodeURIComponent((await params).id)}`);
}
