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
// Kills the whole group when the agent is gone, even while this event loop is blocked.
startWatchdog(-process.pid);
process.on("disconnect", () => kill(-process.pid, "SIGKILL"));
const guest = new Guest(
  {
    send: (message) => send?.(message, undefined, {}, () => {}),
    listen: (onMessage) => process.on("message", (message: ToGuest) => onMessage(message)),
  },
  task,
);
// The tool must not use the channel to the agent.
delete process.send;
await guest.start();
