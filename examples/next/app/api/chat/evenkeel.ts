/** Passes a request on to evenkeel, and its answer back as it comes. */
const EVENKEEL = process.env["EVENKEEL"] ?? "http://localhost:8000";
const KEY = process.env["EVENKEEL_KEY"];

export async function passOn(request: Request, path: string): Promise<Response> {
  // Check here which user asks, and whether the chat belongs to that user: for evenkeel all your users are one key.
  const answer = await fetch(`${EVENKEEL}${path}`, {
    method: request.method,
    headers: {
      "Content-Type": "application/json",
      ...(KEY !== undefined && { Authorization: `Bearer ${KEY}` }),
    },
    ...(request.method === "POST" && { body: await request.text() }),
    // When the browser hangs up, this request ends too. The run goes on, and the page finds it again.
    signal: request.signal,
  });
  // The last three make files of users harmless.
  const kept =
    /^(content-type|cache-control|x-vercel-ai-ui-message-stream|retry-after|x-content-type-options|content-disposition|content-security-policy)$/;
  const headers = [...answer.headers].filter(([name]) => kept.test(name));
  return new Response(answer.body, { status: answer.status, headers: [...headers, ["X-Accel-Buffering", "no"]] });
}
