import { testEngine } from "../engine.contract.ts";
import { databases } from "./test-data.ts";

const { open } = databases();

testEngine({ name: "Postgres", open });
