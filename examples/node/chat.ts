/** `node examples/node/chat.ts "Hello"`: streams the answer of an agent to the terminal. EVENKEEL says where the server is. */
import { Evenkeel } from "../../src/client/client.ts";

const evenkeel = new Evenkeel({ baseUrl: process.env["EVENKEEL"] ?? "http://localhost:8000" });
const message = process.argv[2] ?? "Hello";

for await (const event of evenkeel.stream({ agent_id: "assistant", message })) {
  if (event.type === "TEXT_MESSAGE_CONTENT") process.stdout.write(event.delta);
  if (event.type === "TOOL_CALL_START") process.stderr.write(`[calls ${event.toolCallName}]\n`);
  if (event.type === "RUN_ERROR") process.stderr.write(`${event.message}\n`);
}
process.stdout.write("\n");
