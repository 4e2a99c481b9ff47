import { testEngine } from "../engine.contract.ts";
import { openTemporary } from "./test-data.ts";

testEngine({ name: "SQLite", open: openTemporary });
