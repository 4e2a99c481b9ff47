/** TLS to a real Postgres with a certificate of an authority of our own, for the host "localhost". */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeCertificates, type Certificates } from "../../testing/certificates.ts";
import { giveToServer, TestPostgres } from "../../testing/postgres.ts";
import { needs } from "../../testing/program.ts";
import { enqueue, ownerOf } from "../contract/setup.ts";
import { lockStorage } from "../open.ts";
import { connect } from "./database.ts";
import { openAt, settingsAt } from "./test-data.ts";

describe("with TLS", needs("openssl"), () => {
  let certificates: Certificates;
  let server: TestPostgres;

  beforeAll(async () => {
    certificates = await makeCertificates();
    const { certificate, key } = certificates;
    for (const file of [certificate, key]) await giveToServer(file);
    const files = [`ssl_cert_file=${certificate}`, `ssl_key_file=${key}`];
    server = await TestPostgres.start({ settings: ["ssl=on", ...files] });
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await certificates[Symbol.asyncDispose]();
  });

  function urlOf(query: string, host = "localhost"): string {
    return `postgres://evenkeel@${host}:${server.port}/postgres?${query}`;
  }

  function trusting(sslmode: string, host?: string): string {
    return urlOf(`sslmode=${sslmode}&sslrootcert=${certificates.authority}`, host);
  }

  test.each(["verify-full", "verify-ca", "require"])("sslmode=%s encrypts and checks the certificate", async (mode) => {
    expect(await isEncrypted(trusting(mode))).toBe(true);
    await expect(lock(urlOf(`sslmode=${mode}`))).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      message: expect.stringContaining("sslrootcert"),
    });
    // The certificate is that of another host.
    await expect(lock(trusting(mode, "127.0.0.1"))).rejects.toMatchObject({
      message: expect.stringContaining("not trusted"),
    });
  });

  test("sslmode=no-verify encrypts without a check, and without sslmode nothing is encrypted", async () => {
    expect(await isEncrypted(urlOf("sslmode=no-verify"))).toBe(true);
    expect(await isEncrypted(urlOf(""))).toBe(false);
    expect(await isEncrypted(urlOf("sslmode=disable"))).toBe(false);
  });

  test("statements and news travel over it", async () => {
    await using engine = await openAt(trusting("verify-full"));
    const { promise: work, resolve } = Promise.withResolvers<void>();
    await using other = await openAt(trusting("verify-full"));
    const watching = await other.watch(ownerOf("owner 1"), { onWork: resolve, onCancel: () => {} });

    await enqueue(engine);
    await work;

    watching.stop();
    const { rows } = await server.admin(
      "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'evenkeel'",
    );
    expect(rows).toEqual([{ ssl: true }]);
  });

  test("a database without TLS is refused, when TLS is asked for", async () => {
    await using plain = await TestPostgres.start();
    await expect(lock(`${plain.url()}?sslmode=verify-full`)).rejects.toMatchObject({
      message: expect.stringContaining("offers no TLS"),
    });
  });
});

function lock(url: string) {
  return lockStorage({ dataDir: "/nowhere", database: settingsAt(url) });
}

async function isEncrypted(url: string): Promise<boolean> {
  const client = await connect(url);
  try {
    const { rows } = await client.query<{ ssl: boolean }>("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    return rows[0]?.ssl === true;
  } finally {
    await client.end();
  }
}
