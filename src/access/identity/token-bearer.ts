import { MapError } from "../../maps/index.js";
import type { BearerTokens } from "./bearer-tokens.js";
import type { Principal } from "./principal.js";

/** A caller with what its token adds to what its connection proves. */
export async function withToken(
  connection: Principal,
  authorization: string,
  tokens: BearerTokens,
): Promise<Principal> {
  const [, token] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
  if (token === undefined) {
    throw new MapError("UNAUTHENTICATED", 'authorization must be "Bearer" and a token');
  }
  const { claims, expiresAtMs } = await tokens.verify(token);
  const subject = claims.sub ?? "nobody";
  const name =
    claims.iss === undefined ? `token of ${subject}` : `token of ${subject} (${claims.iss})`;
  return { ...connection, name, claims, expiresAtMs };
}
