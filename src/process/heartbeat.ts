/** What a child says of itself each second: its vitals, its gauges, and its notes when they have changed. Sent by `lifecycle.ts`. */
import type { Channel } from "./channel.ts";
import type { Service } from "./lifecycle.ts";
import type { FromChild } from "./protocol.ts";
import { VitalsMeter } from "./vitals.ts";

/** @returns what sends one heartbeat */
export function heartbeatOf(
  service: Pick<Service, "inFlight" | "gauges" | "notes">,
  parent: Channel,
): () => Promise<void> {
  const meter = new VitalsMeter();
  let noted = "{}";
  let isWaiting = false;
  return async () => {
    // The primary reads nothing. Say nothing more until it does: it would take all those heartbeats at once for a flood.
    if (isWaiting) return;
    isWaiting = true;
    const heartbeat: FromChild = {
      type: "heartbeat",
      vitals: meter.read(service.inFlight()),
      gauges: service.gauges?.() ?? {},
    };
    const sent = [parent.send(heartbeat)];
    const notes = service.notes?.() ?? {};
    const json = JSON.stringify(notes);
    if (json !== noted) {
      noted = json;
      sent.push(parent.send({ type: "notes", notes } satisfies FromChild));
    }
    await Promise.all(sent);
    isWaiting = false;
  };
}
