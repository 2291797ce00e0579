import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import type { ElementSource } from "#dist/maps/scan/element-source.js";
import type { ChangeLog } from "#dist/watch/changes.js";
import { ExactReader } from "#dist/watch/exact-reader.js";
import { MapMirror } from "#dist/watch/map-mirror.js";
import { Hand, type KernelMap, makeMap, type Walkable } from "../maps/support/kernel-map.js";
import { startWalk } from "../maps/support/walk.js";

/** What happens to a map: to its elements, or on the side of who mirrors it. */
type Step =
  | { readonly do: "put"; readonly key: number; readonly value: number }
  | { readonly do: "delete"; readonly key: number }
  /** Reads the next stretch of the walk that runs, or begins one. */
  | { readonly do: "meet" }
  /** Finishes the walk that runs, or makes a whole one. */
  | { readonly do: "walk" }
  /** A write by the service: its keys are looked at at once. */
  | { readonly do: "write"; readonly key: number; readonly value: number }
  | { readonly do: "remove"; readonly key: number };

const KEYS = 40;
const key = fc.nat(KEYS - 1);
const value = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("put" as const), key, value }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("delete" as const), key }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("meet" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("walk" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("write" as const), key, value }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), key }) },
);

const TYPES: readonly Walkable[] = ["HASH", "LRU_HASH", "PERCPU_HASH", "ARRAY", "LPM_TRIE"];

describe.each(TYPES)("a mirror of a map of type %s", (type) => {
  it("tells what leads from one contents to the next, and nothing twice", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const stage = new Stage(type);
        for (const one of steps) stage.take(one);
        stage.walk();
        stage.walk();
        expect(stage.told).toEqual(stage.contents());
      }),
      { numRuns: 60 },
    );
  });
});

describe("a mirror", () => {
  it("tells nothing of its first walk, which sees the contents", () => {
    const stage = new Stage("HASH");
    stage.take({ do: "put", key: 1, value: 1 });
    expect(stage.walk().size).toBe(0);
    expect(stage.snapshot()).toEqual(stage.contents());
  });

  it("tells the value before of what a walk finds changed or gone", () => {
    const stage = new Stage("HASH");
    stage.take({ do: "put", key: 1, value: 1 });
    stage.take({ do: "put", key: 2, value: 1 });
    stage.walk();
    stage.take({ do: "put", key: 1, value: 3 });
    stage.take({ do: "delete", key: 2 });
    const { puts, deletes } = stage.walk().take();
    expect([puts.count, puts.hasPrevious[0], puts.previous[0]]).toEqual([1, 1, 1]);
    expect([deletes.count, deletes.hasPrevious[0], deletes.previous[0]]).toEqual([1, 1, 1]);
  });

  it("tells a write of the service once, though the next walk sees it too", () => {
    const stage = new Stage("HASH");
    stage.walk();
    stage.take({ do: "write", key: 7, value: 1 });
    expect(stage.told.size).toBe(1);
    expect(stage.walk().size).toBe(0);
    expect(stage.walk().size).toBe(0);
  });

  it("takes an eighth more memory than its elements at most", () => {
    const elements = 50_000;
    const map = makeMap("HASH", { maxEntries: elements });
    const hand = new Hand(map);
    for (let index = 0; index < elements; index++) hand.update(u32(index), Buffer.alloc(8));
    const mirror = new MapMirror(map.layout, map.target.keyKind);
    const reader = exactReader(map);
    for (let walk = 0; walk < 3; walk++) {
      const source = startWalk("by batch", map.target, { stretch: 4096 });
      mirror.startWalk();
      while (source.next()) mirror.meet(source);
      expect(mirror.finishWalk(reader).size).toBe(0);
    }
    expect(mirror.bytes).toBeLessThanOrEqual(elements * 12 * 1.125 + 4096);
  });
});

/** A map, its mirror, and a subscriber who applies what is told. */
class Stage {
  readonly told = new Map<string, string>();
  readonly #map: KernelMap;
  readonly #hand: Hand;
  readonly #mirror: MapMirror;
  readonly #reader: ExactReader;
  #source: ElementSource | undefined;
  #hasWalked = false;

  constructor(type: Walkable) {
    this.#map = makeMap(type, { maxEntries: KEYS });
    this.#hand = new Hand(this.#map);
    this.#mirror = new MapMirror(this.#map.layout, this.#map.target.keyKind);
    this.#reader = exactReader(this.#map);
  }

  take(step: Step): void {
    if (step.do === "meet") this.#meet();
    else if (step.do === "walk") this.walk();
    else if (step.do === "put" || step.do === "write") this.#put(step.key, step.value);
    else this.#delete(step.key);
    if ((step.do === "write" || step.do === "remove") && this.#hasWalked) {
      this.#apply(this.#mirror.look(this.#key(step.key), this.#reader), "may repeat");
    }
  }

  /** Finishes the walk that runs, or makes a whole one. */
  walk(): ChangeLog {
    while (this.#meet()) {}
    const log = this.#mirror.finishWalk(this.#reader);
    if (this.#hasWalked) this.#apply(log);
    else for (const [key, value] of this.snapshot()) this.told.set(key, value);
    this.#hasWalked = true;
    this.#source = undefined;
    return log;
  }

  contents(): Map<string, string> {
    return this.#hand.contents();
  }

  snapshot(): Map<string, string> {
    const { keySize, valueStride } = this.#map.layout;
    const elements = new Map<string, string>();
    this.#mirror.visit((keys, keyAt, values, valueAt) =>
      elements.set(
        keys.toString("hex", keyAt, keyAt + keySize),
        values.toString("hex", valueAt, valueAt + valueStride),
      ),
    );
    return elements;
  }

  #meet(): boolean {
    if (!this.#source) {
      this.#source = startWalk("by batch", this.#map.target, { stretch: 8 });
      this.#mirror.startWalk();
    }
    if (!this.#source.next()) return false;
    this.#mirror.meet(this.#source);
    return true;
  }

  #apply(log: ChangeLog, mayRepeat?: "may repeat"): void {
    const { keySize, valueStride } = this.#map.layout;
    const { puts, deletes } = log.take();
    for (let index = 0; index < puts.count; index++) {
      const key = puts.keys.toString("hex", index * keySize, (index + 1) * keySize);
      const at = index * valueStride;
      const value = puts.values.toString("hex", at, at + valueStride);
      if (!mayRepeat) expect(this.told.get(key), `put of ${key} again`).not.toBe(value);
      if (puts.hasPrevious[index]) {
        expect(puts.previous.toString("hex", at, at + valueStride)).toBe(this.told.get(key));
      }
      this.told.set(key, value);
    }
    for (let index = 0; index < deletes.count; index++) {
      const key = deletes.keys.toString("hex", index * keySize, (index + 1) * keySize);
      const wasTold = this.told.delete(key);
      if (!mayRepeat) expect(wasTold, `delete of ${key} again`).toBe(true);
    }
  }

  #put(key: number, value: number): void {
    this.#hand.update(this.#key(key), Buffer.alloc(this.#map.layout.valueStride, value));
  }

  #delete(key: number): void {
    if (this.#map.target.keyKind === "index") this.#put(key, 0);
    else if (this.#hasKey(key)) this.#hand.delete(this.#key(key));
  }

  #hasKey(key: number): boolean {
    return this.#reader.read(this.#key(key), 0) !== undefined;
  }

  /** Keys of tries are prefixes of several lengths, some of which cover others. */
  #key(number: number): Buffer {
    if (this.#map.target.keyKind !== "prefix") return u32(number);
    const length = [8, 16, 24, 32][number % 4] as number;
    const address = [10, number % 3, number % 5, number].map((byte, index) =>
      index * 8 < length ? byte : 0,
    );
    return Buffer.concat([u32(length), Buffer.from(address)]);
  }
}

function exactReader(map: KernelMap): ExactReader {
  const reader = new ExactReader(map.target);
  onTestFinished(() => reader.release());
  return reader;
}

function u32(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
}
