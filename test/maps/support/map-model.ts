import type { CpuTarget, MapErrorReason, OnError, UpdateMode } from "#dist/maps/index.js";
import type { MapLayout } from "#dist/maps/map-layout.js";
import { clearHostBits } from "#dist/maps/scan/key-order.js";
import { hex } from "./elements.js";
import type { Walkable } from "./kernel-map.js";

/** What a call on several elements must answer: its numbers, or the error that ends it. */
export interface Expected {
  readonly applied: number;
  readonly failures: { index: number; reason: MapErrorReason }[];
  readonly ended?: { reason: MapErrorReason; index: number; applied: number };
}

/** A kernel map as a JavaScript Map, by hex of the key; LRU maps must never be near full. */
export class MapModel {
  readonly elements = new Map<string, Buffer>();
  readonly #type: Walkable;
  readonly #layout: MapLayout;

  constructor(type: Walkable, layout: MapLayout) {
    this.#type = type;
    this.#layout = layout;
    if (!this.#isArray) return;
    for (let index = 0; index < layout.maxEntries; index++) {
      const key = Buffer.alloc(4);
      key.writeUInt32LE(index);
      this.elements.set(hex(key), Buffer.alloc(layout.valueStride));
    }
  }

  get #isArray(): boolean {
    return this.#type.endsWith("ARRAY");
  }

  get canTake(): boolean {
    return this.#type.endsWith("HASH");
  }

  /** A trie's keys with their host bits cleared, other keys as they are. */
  name(key: Uint8Array): string {
    const copy = Buffer.from(key);
    if (this.#type === "LPM_TRIE") clearHostBits(copy, 0, copy.length);
    return hex(copy);
  }

  lookup(key: Buffer): Buffer | undefined {
    if (this.#type !== "LPM_TRIE") return this.elements.get(this.name(key));
    for (let length = key.readUInt32LE(); length >= 0; length--) {
      const shorter = Buffer.from(key);
      shorter.writeUInt32LE(length);
      const found = this.elements.get(this.name(shorter));
      if (found) return found;
    }
    return undefined;
  }

  /** Writes one element; the reason where the kernel must refuse it. */
  update(
    key: Buffer,
    value: Buffer,
    mode: UpdateMode = "any",
    target?: CpuTarget,
  ): MapErrorReason | undefined {
    const name = this.name(key);
    const old = this.elements.get(name);
    if (old && mode === "noexist") return "ELEMENT_EXISTS";
    if (!old && mode === "exist") return "ELEMENT_NOT_FOUND";
    if (!old && this.elements.size >= this.#layout.maxEntries) return "MAP_FULL";
    this.elements.set(name, this.#whole(value, old, target));
    return undefined;
  }

  delete(key: Buffer): MapErrorReason | undefined {
    return this.elements.delete(this.name(key)) ? undefined : "ELEMENT_NOT_FOUND";
  }

  #whole(value: Buffer, old: Buffer | undefined, target: CpuTarget | undefined): Buffer {
    if (!target) return Buffer.from(value);
    const { cpus, slotSize, valueStride } = this.#layout;
    const isAll = "allCpus" in target;
    const whole = Buffer.alloc(valueStride);
    if (old && !isAll) old.copy(whole);
    for (const [slot, cpu] of cpus.entries()) {
      if (isAll || cpu === target.cpu) value.copy(whole, slot * slotSize);
    }
    return whole;
  }
}

/** Runs `one` for each of `count` elements as a call of the maps floor must. */
export function expectEach(
  count: number,
  onError: OnError,
  one: (index: number) => MapErrorReason | undefined,
): Expected {
  let applied = 0;
  const failures: Expected["failures"] = [];
  for (let index = 0; index < count; index++) {
    const reason = one(index);
    if (reason === undefined) applied++;
    else if (onError === "stop") return { applied, failures, ended: { reason, index, applied } };
    else failures.push({ index, reason });
  }
  return { applied, failures };
}
