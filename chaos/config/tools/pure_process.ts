import { traced } from "../traced.ts";

export const tool = traced({ effects: "pure", isolation: "process" });
