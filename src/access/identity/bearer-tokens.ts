import { createHash } from "node:crypto";
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import { MapError } from "../../maps/index.js";
import type { FileSource } from "../watched-file.js";

/** What a token must say beside a valid signature. */
export interface TokenRules {
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
}

/** Claims that were verified. */
export interface VerifiedToken {
  readonly claims: JWTPayload;
  readonly expiresAtMs: number;
}

/** Longer tokens are refused before they are looked at. */
const MAX_TOKEN_CHARS = 16_384;
/** Verified tokens that are remembered: a signature costs more than most calls. */
const MAX_REMEMBERED = 1024;
const CLOCK_TOLERANCE_S = 5;

/** Only signatures by a key that the daemon does not have; nobody can make a token by the JWKS. */
const ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

type KeySet = ReturnType<typeof createLocalJWKSet>;

/** Reads a JSON Web Key Set. Throws an Error for a person. */
export function readKeySet(text: string): KeySet {
  return createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
}

/** Verifies bearer tokens (JWT) by the keys of a file. */
export class BearerTokens {
  readonly #keys: FileSource<KeySet>;
  readonly #rules: TokenRules;
  readonly #remembered = new Map<string, VerifiedToken>();

  constructor(keys: FileSource<KeySet>, rules: TokenRules) {
    this.#keys = keys;
    this.#rules = rules;
    keys.onChange(() => this.#remembered.clear());
  }

  /** Throws UNAUTHENTICATED unless the token is one to believe. */
  async verify(token: string): Promise<VerifiedToken> {
    if (token.length > MAX_TOKEN_CHARS) throw refused("it is too long");
    const digest = createHash("sha256").update(token).digest("base64");
    const known = this.#remembered.get(digest);
    if (known && known.expiresAtMs > Date.now()) return known;
    const keys = this.#keys.value;
    const verified = await this.#check(token, keys);
    if (keys === this.#keys.value) this.#remember(digest, verified);
    return verified;
  }

  async #check(token: string, keys: KeySet): Promise<VerifiedToken> {
    const { issuer, audience } = this.#rules;
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_S,
        requiredClaims: ["exp"],
        ...(issuer !== undefined && { issuer }),
        ...(audience !== undefined && { audience }),
      });
      const expiresAtMs = ((payload.exp as number) + CLOCK_TOLERANCE_S) * 1000;
      return { claims: payload, expiresAtMs };
    } catch (error) {
      if (error instanceof errors.JOSEError) throw refused(error.message);
      throw refused("it is no JWT that any key of the daemon's JWKS file signed");
    }
  }

  #remember(digest: string, verified: VerifiedToken): void {
    if (this.#remembered.size >= MAX_REMEMBERED) {
      const [oldest] = this.#remembered.keys();
      this.#remembered.delete(oldest as string);
    }
    this.#remembered.set(digest, verified);
  }
}

function refused(why: string): MapError {
  return new MapError("UNAUTHENTICATED", `the bearer token is not accepted: ${why}`);
}
