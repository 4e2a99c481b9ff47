/**
 * Ids in the shape of the API's: req_…, msg_…, toolu_…, srvtoolu_…, unique across restarts.
 * Called by routes.ts and steps.ts. The only part of an answer that differs between two equal requests.
 */
import { randomBytes } from "node:crypto";

export type NewId = (prefix: "req" | "msg" | "toolu" | "srvtoolu") => string;

export function createIds(): NewId {
  const boot = randomBytes(7).toString("hex");
  let count = 0;
  return (prefix) => `${prefix}_01${boot}${(++count).toString(36).padStart(8, "0")}`;
}
