import {
  type Difference,
  FullError,
  type Keys,
  type TargetMap,
} from "#dist/fleet/reconcile/index.js";
import type { Elements } from "#dist/fleet/sets/index.js";
import { contentsOf, SPEC } from "../../sets-contract/fixture.ts";

/** The process of the one who writes is gone. */
export class Crash extends Error {}

/** A map of numbers that notes what is written, and where a writer may die between two writes. */
export class SimulatedMap implements TargetMap {
  readonly elements = new Map<number, number>();
  readonly capacity: number;
  readonly sizes: Pick<typeof SPEC, "keySize" | "valueSize">;
  /** Writes until the writer dies; undefined for never. */
  fuse: number | undefined;
  /** What was written: "put 3", "remove 4". */
  writes: string[] = [];
  /** How often all of it was read. */
  reads = 0;
  identity = "map 1";

  constructor(capacity: number, sizes: Pick<typeof SPEC, "keySize" | "valueSize"> = SPEC) {
    this.capacity = capacity;
    this.sizes = sizes;
  }

  async describe() {
    const { identity, capacity, sizes } = this;
    return { ...sizes, identity, label: identity, capacity, evicts: false, isAtomic: false };
  }

  async count(): Promise<number> {
    return this.elements.size;
  }

  async compare(desired: AsyncIterable<Elements>, scope: "all" | "own"): Promise<Difference> {
    this.reads++;
    const wanted = await this.#collect(desired);
    let [missing, changed, extra] = [0, 0, 0];
    for (const [key, value] of wanted) {
      const there = this.elements.get(key);
      if (there === undefined) missing++;
      else if (there !== value) changed++;
    }
    for (const key of this.elements.keys()) if (!wanted.has(key)) extra++;
    const size = scope === "all" ? wanted.size : this.elements.size + missing;
    if (size > this.capacity) throw new FullError("no room");
    return { missing, changed, extra: scope === "all" ? extra : 0 };
  }

  async replace(desired: AsyncIterable<Elements>): Promise<void> {
    this.reads++;
    const wanted = await this.#collect(desired);
    const late: [number, number][] = [];
    for (const [key, value] of wanted) {
      if (this.elements.get(key) === value) continue;
      if (this.#hasRoomFor(key)) this.#put(key, value);
      else late.push([key, value]);
    }
    for (const key of [...this.elements.keys()]) if (!wanted.has(key)) this.#remove(key);
    for (const [key, value] of late) this.#put(key, value);
  }

  async put(elements: AsyncIterable<Elements>): Promise<void> {
    for (const [key, value] of await this.#collect(elements)) {
      if (!this.#hasRoomFor(key)) throw new FullError("no room");
      this.#put(key, value);
    }
  }

  async remove(keys: AsyncIterable<Keys>): Promise<void> {
    for await (const { count, keys: column } of keys) {
      const elements = {
        count,
        keys: column,
        values: new Uint8Array(count * this.sizes.valueSize),
      };
      for (const key of contentsOf([elements], this.sizes).keys()) {
        if (this.elements.has(key)) this.#remove(key);
      }
    }
  }

  #hasRoomFor(key: number): boolean {
    return this.elements.has(key) || this.elements.size < this.capacity;
  }

  #put(key: number, value: number): void {
    this.#burn();
    this.elements.set(key, value);
    this.writes.push(`put ${key}`);
  }

  #remove(key: number): void {
    this.#burn();
    this.elements.delete(key);
    this.writes.push(`remove ${key}`);
  }

  #burn(): void {
    if (this.fuse !== undefined && this.fuse-- <= 0) throw new Crash("died");
  }

  async #collect(elements: AsyncIterable<Elements>): Promise<Map<number, number>> {
    const chunks: Elements[] = [];
    for await (const chunk of elements) chunks.push(chunk);
    return contentsOf(chunks, this.sizes);
  }
}
