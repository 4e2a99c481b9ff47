import { traced } from "../traced.ts";

export const tool = traced({ effects: "unsafe", isolation: "inline" });
