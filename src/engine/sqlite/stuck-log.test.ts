import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { enqueue } from "../contract/setup.ts";
import { describeStuckLog } from "./stuck-log.ts";
import { openTemporary } from "./test-data.ts";

const READER = `
  const { DatabaseSync } = require("node:sqlite");
  const db = new DatabaseSync(process.argv[1]);
  db.exec("BEGIN"); db.prepare("SELECT count(*) FROM runs").get();
  console.log("reading"); setInterval(() => {}, 1000);`;

test.runIf(process.platform === "linux")("the program that reads without an end is named with its pid", async () => {
  await using data = await openTemporary();
  await enqueue(data.engine);
  const { dbPath } = data.folder;
  const reader = spawn(process.execPath, ["-e", READER, dbPath], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await once(reader.stdout, "data");

    const line = describeStuckLog({ walPath: `${dbPath}-wal`, shmPath: `${dbPath}-shm`, bytes: 81_000_000 });

    expect(line).toContain("evenkeel.db-wal has grown to 81 MB");
    expect(line).toContain(`process ${reader.pid} (`);
  } finally {
    reader.kill("SIGKILL");
  }
});

test("where nobody can be named the line says so", () => {
  const line = describeStuckLog({
    walPath: "/nowhere/evenkeel.db-wal",
    shmPath: "/nowhere/evenkeel.db-shm",
    bytes: 1e8,
  });
  expect(line).toContain("somebody reads the database in a transaction that does not end");
});
