/** `npm run postgres`: a Postgres to try evenkeel with, until Ctrl-C; nothing of it is left then. */
import { once } from "node:events";
import { TestPostgres } from "../src/testing/postgres.ts";

const postgres = await TestPostgres.start();
process.stdout.write(
  `Postgres listens on port ${postgres.port}. In another terminal, as often as you like:\n\n` +
    `  PORT=8000 DATABASE_URL=${postgres.url()} node run-production\n\nCtrl-C stops it and removes its data.\n`,
);
await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
await postgres[Symbol.asyncDispose]();
