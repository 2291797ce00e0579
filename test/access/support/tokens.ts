import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { temporaryDirectory } from "../../daemon/support/run.js";

/** One that signs tokens, with its JWKS as a file. */
export interface TokenIssuer {
  readonly jwksFile: string;
  /** A token that runs out in an hour, or so many seconds from now. */
  sign(claims: JWTPayload, lifetimeS?: number): Promise<string>;
}

export async function tokenIssuer(directory = temporaryDirectory()): Promise<TokenIssuer> {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwksFile = join(directory, "jwks.json");
  const key = { ...(await exportJWK(publicKey)), kid: "one", alg: "ES256" };
  writeFileSync(jwksFile, JSON.stringify({ keys: [key] }));
  return {
    jwksFile,
    sign: (claims, lifetimeS = 3600) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: "ES256", kid: "one" })
        .setExpirationTime(Math.floor(Date.now() / 1000) + lifetimeS)
        .sign(privateKey),
  };
}
