/** An identity provider on loopback: signs tokens, and serves its public keys. Called by tests. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from "jose";

export interface IdentityProviderStub extends AsyncDisposable {
  readonly jwksUrl: string;
  /** How often its keys were fetched. */
  readonly fetches: () => number;
  sign(claims: JWTPayload, options?: { readonly expires?: string; readonly audience?: string }): Promise<string>;
}

export const ISSUER = "https://login.example";
export const AUDIENCE = "evenkeel";

/** @param held the keys are answered only once this resolves */
export async function startIdentityProvider(held: Promise<unknown> = Promise.resolve()): Promise<IdentityProviderStub> {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "1", alg: "ES256" }] });
  let fetches = 0;
  const server = createServer((_request, response) => {
    fetches += 1;
    void held.then(() => response.setHeader("Content-Type", "application/json").end(keys));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const sign: IdentityProviderStub["sign"] = (claims, { expires = "5m", audience = AUDIENCE } = {}) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: "ES256", kid: "1" })
      .setIssuer(ISSUER)
      .setAudience(audience)
      .setExpirationTime(expires)
      .sign(privateKey);
  return {
    jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    fetches: () => fetches,
    sign,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
