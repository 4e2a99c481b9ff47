/** Entry of a tool's thread. */
import { workerData, type MessagePort } from "node:worker_threads";
import { answerToOwnName } from "../../../own-name.ts";
import { Guest } from "./guest.ts";
import { catchOutput } from "./guest-realm.ts";
import type { GuestTask, ToGuest } from "./protocol.ts";

const { port, ...task } = workerData as GuestTask & { readonly port: MessagePort };

const guest = new Guest(
  {
    send: (message) => {
      // The empty list tells unicorn's rule that this is no window, whose postMessage must name an origin.
      port.postMessage(message, []);
      return Promise.resolve(true);
    },
    listen: (onMessage) => port.on("message", (message: ToGuest) => onMessage(message)),
  },
  task,
);
catchOutput(guest.print);
answerToOwnName();
await guest.start();
