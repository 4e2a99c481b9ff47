/** Entry of a tool's process. Its arguments are a `GuestTask` as JSON. */
import { answerToOwnName } from "../../../own-name.ts";
import { openParentChannel } from "../../../process/parent.ts";
import { startWatchdog } from "../../../process/watchdog.ts";
import { Guest } from "./guest.ts";
import type { GuestTask, ToGuest } from "./protocol.ts";

const task = JSON.parse(process.argv[2] ?? "") as GuestTask;
const kill = process.kill.bind(process);
const { pid } = process;
process.title = "evenkeel tool";
answerToOwnName();
// Kills the whole group when the agent is gone, even while this event loop is blocked.
startWatchdog(-pid);
const agent = openParentChannel();
let hear: ((message: ToGuest) => void) | undefined;
agent.listen({
  onMessage: (message) => hear?.(message as ToGuest),
  onClose: () => kill(-pid, "SIGKILL"),
});
const guest = new Guest(
  {
    send: (message) => agent.send(message),
    listen: (onMessage) => (hear = onMessage),
  },
  task,
);
await guest.start();
