/** A child's side of its start: finds the channel to the primary, and takes the settings that come over it. */
import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import { CHANNEL_FD, SocketChannel, type Channel } from "./channel.ts";
import { EXIT, type ToChild } from "./protocol.ts";
import { startWatchdog } from "./watchdog.ts";

export interface Connected<Settings> {
  readonly parent: Channel;
  readonly settings: Settings;
}

/** Whether the primary started this process, and not somebody by hand. */
export function hasParent(): boolean {
  try {
    return fstatSync(CHANNEL_FD).isSocket();
  } catch {
    return false;
  }
}

/** This process's end of its parent's channel. To be called once: it takes the file descriptor over. */
export function openParentChannel(): Channel {
  return new SocketChannel(new Socket({ fd: CHANNEL_FD, readable: true, writable: true }));
}

/**
 * Each `main.ts` calls it once, before anything else. From then on the process ends when the primary is gone.
 */
export async function connectParent<Settings>(): Promise<Connected<Settings>> {
  if (!hasParent()) throw new Error("This file is started by the primary; run `node run-production` instead.");
  startWatchdog();
  const parent = openParentChannel();
  const { promise, resolve } = Promise.withResolvers<unknown>();
  parent.listen({
    onMessage: (message) => {
      const told = message as ToChild;
      if (told.type === "settings") resolve(told.settings);
    },
    // If the primary died before the watchdog looked for it, the watchdog watches the wrong process. Then
    // only the end of the channel shows that the primary is gone.
    onClose: () => process.exit(EXIT.crashed),
  });
  return { parent, settings: (await promise) as Settings };
}
