import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";

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
  readonly #bootId: string;

  /** @param key secret of this host, the same over restarts of the daemon */
  constructor(key: Buffer, bootId: string) {
    this.#key = key;
    this.#bootId = bootId;
  }

  /** The token of a position. */
  seal(position: StreamPosition): Buffer {
    const { bootId, epoch, mapId, definition, revision } = position;
    const payload = Buffer.from(JSON.stringify([bootId, epoch, mapId, definition, revision]));
    return Buffer.concat([this.#mac(payload), payload]);
  }

  /**
   * The position of a token; undefined for bytes that are none. The key can be lost with
   * a boot, so a token that says it is of another one is believed: it leads nowhere.
   */
  open(token: Uint8Array): StreamPosition | undefined {
    const payload = token.subarray(MAC_BYTES);
    const position = positionOf(payload);
    if (!position || position.bootId !== this.#bootId) return position;
    return timingSafeEqual(token.subarray(0, MAC_BYTES), this.#mac(payload)) ? position : undefined;
  }

  #mac(payload: Uint8Array): Buffer {
    return createHmac("sha256", this.#key).update(payload).digest().subarray(0, MAC_BYTES);
  }
}

const payloadSchema = z.tuple([z.uuid(), z.hex(), z.int(), z.hex(), z.int()]);

function positionOf(payload: Uint8Array): StreamPosition | undefined {
  try {
    const parts = payloadSchema.parse(JSON.parse(Buffer.from(payload).toString()));
    const [bootId, epoch, mapId, definition, revision] = parts;
    return { bootId, epoch, mapId, definition, revision };
  } catch {
    return undefined;
  }
}

/** Hash of what decides what a stream sends. */
export function definitionOf(parts: unknown): string {
  const text = JSON.stringify(parts, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
  );
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
