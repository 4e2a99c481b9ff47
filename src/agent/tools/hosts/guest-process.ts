/** Entry of a tool's process. Its arguments are a `GuestTask` as JSON. */
import { answerToOwnName } from "../../../own-name.ts";
import { startWatchdog } from "../../../process/watchdog.ts";
import { Guest } from "./guest.ts";
import type { GuestTask, ToGuest } from "./protocol.ts";

const task = JSON.parse(process.argv[2] ?? "") as GuestTask;
const send = process.send?.bind(process);
const kill = process.kill.bind(process);
process.title = "evenkeel tool";
answerToOwnName();
// With the agent gone, the whole group goes: also while this loop is blocked.
startWatchdog(-process.pid);
process.on("disconnect", () => kill(-process.pid, "SIGKILL"));
const guest = new Guest(
  {
    send: (message) => send?.(message, undefined, {}, () => {}),
    listen: (onMessage) => process.on("message", (message: ToGuest) => onMessage(message)),
  },
  task,
);
// The tool has no business with the agent's channel.
delete process.send;
await guest.start();
