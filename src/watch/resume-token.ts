import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** What a resume token says: where a stream of one map stood. */
export interface StreamPosition {
  /** Id of the boot. */
  readonly bootId: string;
  /** The daemon's run: hex. */
  readonly epoch: string;
  readonly mapId: number;
  /** Hash of everything in the request that decides what is sent. */
  readonly definition: string;
  readonly revision: number;
}

const MAC_BYTES = 16;

/**
 * Makes and reads resume tokens. They carry a MAC, so that a token that was made up, or
 * cut, is told from one that is only old.
 */
export class ResumeTokens {
  readonly #key: Buffer;

  /** @param key secret of this host, the same over restarts of the daemon */
  constructor(key: Buffer) {
    this.#key = key;
  }

  /** The token of a position. */
  seal(position: StreamPosition): Buffer {
    const { bootId, epoch, mapId, definition, revision } = position;
    const payload = Buffer.from(JSON.stringify([bootId, epoch, mapId, definition, revision]));
    return Buffer.concat([this.#mac(payload), payload]);
  }

  /** The position of a token; undefined for bytes that this host did not make. */
  open(token: Uint8Array): StreamPosition | undefined {
    const mac = token.subarray(0, MAC_BYTES);
    const payload = token.subarray(MAC_BYTES);
    if (mac.length < MAC_BYTES || !timingSafeEqual(mac, this.#mac(payload))) return undefined;
    const [bootId, epoch, mapId, definition, revision] = JSON.parse(
      Buffer.from(payload).toString(),
    ) as [string, string, number, string, number];
    return { bootId, epoch, mapId, definition, revision };
  }

  #mac(payload: Uint8Array): Buffer {
    return createHmac("sha256", this.#key).update(payload).digest().subarray(0, MAC_BYTES);
  }
}

/** Hash of what decides what a stream sends. */
export function definitionOf(parts: unknown): string {
  const text = JSON.stringify(parts, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
  );
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
