import { traced } from "../traced.ts";

export const tool = traced({ effects: "idempotent", isolation: "thread" });
