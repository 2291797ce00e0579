import { type Store, StoreError } from "../store/index.js";
import { segmentName } from "./segment.js";
import type { SegmentSource } from "./segment-source.js";
import { SetError } from "./set-error.js";
import { setKeys } from "./set-keys.js";

/** Reads the segments of a set out of the store, also such as have been collected since. */
export class StoreSegments implements SegmentSource {
  readonly #store: Pick<Store, "get">;
  readonly #name: string;
  readonly #revision: bigint | undefined;

  /** @param revision one at which the manifest was there that names them */
  constructor(store: Pick<Store, "get">, name: string, revision?: bigint) {
    this.#store = store;
    this.#name = name;
    this.#revision = revision;
  }

  async get(hash: string, signal?: AbortSignal): Promise<Uint8Array> {
    const key = setKeys.segment(this.#name, hash);
    const { entry } = await this.#store.get(key, { signal });
    const value = entry?.value ?? (await this.#getCollected(key, signal));
    if (value === undefined) throw gone(this.#name);
    return checkedSegment(this.#name, hash, value);
  }

  async #getCollected(key: string, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    if (this.#revision === undefined) return undefined;
    try {
      return (await this.#store.get(key, { revision: this.#revision, signal })).entry?.value;
    } catch (error) {
      if (error instanceof StoreError && error.code === "COMPACTED") return undefined;
      throw error;
    }
  }
}

/** The bytes, if their hash is right; DAMAGED otherwise. */
export function checkedSegment(set: string, hash: string, bytes: Uint8Array): Uint8Array {
  if (segmentName(bytes) === hash) return bytes;
  throw new SetError("DAMAGED", `segment ${hash} of map set "${set}" is not what was written`);
}

/** The error of a segment that nobody has any more. */
export function gone(set: string): SetError {
  return new SetError(
    "GONE",
    `contents of map set "${set}" have been replaced while they were read: begin anew`,
  );
}
