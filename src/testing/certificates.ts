/** Certificates of an authority of a test's own, for servers with TLS on the host "localhost". Needs openssl. */
import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Paths of PEM files. */
export interface Certificates extends AsyncDisposable {
  readonly authority: string;
  /** By the authority. */
  readonly certificate: string;
  /** Only the owner may read it. */
  readonly key: string;
}

/** Call it from a test that `needs("openssl")`. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), "evenkeel-tls-"));
  const dispose = () => rm(folder, { recursive: true, force: true });
  const openssl = (args: string) => execFileSync("openssl", args.split(" "), { cwd: folder, stdio: "pipe" });
  const newKey = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc";
  try {
    // Servers may run as another user.
    await chmod(folder, 0o755);
    openssl(`req -x509 ${newKey} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority`);
    openssl(
      `req -x509 ${newKey} -keyout server.key -out server.pem -days 2 -subj /CN=localhost -CA ca.pem -CAkey ca.key -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE`,
    );
    await chmod(join(folder, "server.key"), 0o600);
  } catch (error) {
    await dispose();
    throw error;
  }
  const [authority = "", certificate = "", key = ""] = ["ca.pem", "server.pem", "server.key"].map((name) =>
    join(folder, name),
  );
  return { authority, certificate, key, [Symbol.asyncDispose]: dispose };
}
