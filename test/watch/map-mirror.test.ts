import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { ArrayMemory } from "#dist/kernel/index.js";
import { CreateFlag } from "#dist/maps/map-spec.js";
import { Before, type ChangeLog } from "#dist/watch/changes.js";
import { ExactReader } from "#dist/watch/exact-reader.js";
import { MapMirror, type ValuesInPlace } from "#dist/watch/map-mirror.js";
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
  | { readonly do: "remove"; readonly key: number }
  /** Another writer's turn at a key just before it is looked at; undefined to delete it. */
  | { readonly do: "late"; readonly value: number | undefined };

const KEYS = 40;
/** Elements that a walk meets at a time; a part of all keys. */
const STRETCH = 8;
/** Few keys often, so that several things happen to the same one. */
const key = fc.oneof(fc.nat(2), fc.nat(KEYS - 1));
const value = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("put" as const), key, value }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("delete" as const), key }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("meet" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("walk" as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("write" as const), key, value }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), key }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("late" as const),
      value: fc.option(value, { nil: undefined }),
    }),
  },
);

const TYPES: readonly StageKind[] = [
  "HASH",
  "LRU_HASH",
  "PERCPU_HASH",
  "ARRAY",
  "LPM_TRIE",
  "ARRAY in place",
  "ARRAY in place, of 12 bytes",
];

/** A type of map, and for arrays whether they are compared where they lie. */
type StageKind = Walkable | "ARRAY in place" | "ARRAY in place, of 12 bytes";

describe.each(TYPES)("a mirror of a map of type %s", (kind) => {
  it("tells what leads from one contents to the next, and nothing twice", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
        const stage = new Stage(kind);
        for (const one of steps) stage.take(one);
        stage.settle();
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

  it.each(TYPES)("holds once what was told before its first walk (%s)", (kind) => {
    const stage = new Stage(kind);
    stage.take({ do: "write", key: 7, value: 1 });
    stage.take({ do: "put", key: 8, value: 2 });
    stage.walk();
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
    expect([puts.count, puts.before[0], puts.previous[0]]).toEqual([1, Before.VALUE, 1]);
    expect([deletes.count, deletes.before[0], deletes.previous[0]]).toEqual([1, Before.VALUE, 1]);
  });

  it("tells traced calls in few logs, none with a put and a delete of one key", () => {
    const { layout } = makeMap("HASH");
    const mirror = new MapMirror(layout, "bytes");
    onTestFinished(() => mirror.release());
    const writer = { pid: 1, comm: "test", kind: "syscall", monotonicNs: 0n } as const;
    const put = (key: number, byte: number) => ({
      ...{ key: u32(key), value: Buffer.alloc(layout.valueStride, byte), writer },
    });
    const remove = (key: number) => ({ key: u32(key), value: undefined, writer });

    const logs = mirror.trace([put(1, 1), remove(2), put(1, 2), put(2, 3), remove(1), put(3, 4)]);
    const told = logs.map((log) => {
      const { puts, deletes } = log.take();
      const putKeys = Array.from({ length: puts.count }, (_, at) => puts.keys[at * 4]);
      const deletedKeys = Array.from({ length: deletes.count }, (_, at) => deletes.keys[at * 4]);
      return { putKeys, deletedKeys };
    });
    expect(told).toEqual([
      { putKeys: [1, 1], deletedKeys: [2] },
      { putKeys: [2, 3], deletedKeys: [1] },
    ]);
  });

  it("tells a write of the service once, though the next walk sees it too", () => {
    const stage = new Stage("HASH");
    stage.walk();
    stage.take({ do: "write", key: 7, value: 1 });
    expect(stage.told.size).toBe(1);
    expect(stage.walk().size).toBe(0);
    expect(stage.walk().size).toBe(0);
  });

  it("tells a write of the service once, though the walk that runs has seen it already", () => {
    const stage = new Stage("HASH");
    stage.take({ do: "put", key: 7, value: 1 });
    stage.walk();
    stage.take({ do: "put", key: 7, value: 2 });
    stage.take({ do: "meet" });
    stage.take({ do: "write", key: 7, value: 3 });
    expect(stage.walk().size).toBe(0);
    expect(stage.told).toEqual(stage.contents());
  });

  it("keeps a key that comes back while the walk that missed it is confirmed", () => {
    const stage = new Stage("HASH");
    stage.walk();
    stage.take({ do: "write", key: 7, value: 1 });
    stage.take({ do: "delete", key: 7 });
    stage.take({ do: "late", value: 2 });
    stage.walk();
    expect(stage.told).toEqual(stage.contents());
    stage.take({ do: "delete", key: 7 });
    stage.settle();
    expect(stage.told.size).toBe(0);
  });

  it("leaves the deletion of what a call put to the trace, where deletes are traced", () => {
    const map = makeMap("PERCPU_HASH");
    const mirror = new MapMirror(map.layout, map.target.keyKind);
    const writer = { pid: 1, comm: "putter", kind: "program", monotonicNs: 1n } as const;
    const look = (deletesAreTraced: boolean) =>
      mirror.look(u32(7), exactReader(map), [writer], deletesAreTraced).take();
    // The put was told, and so was the delete; a scan has ended since.
    expect(look(true).deletes.count).toBe(0);
    expect(look(false).deletes.count).toBe(1);
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

describe("a mirror of an array in place", () => {
  const layout = {
    type: 2,
    keySize: 4,
    valueSize: 8,
    slotSize: 8,
    valueStride: 8,
    maxEntries: 2,
    cpus: [],
  };

  it("tells the value that it takes over, though it is written on and on", () => {
    const memory = { bytes: Buffer.alloc(16), stride: 8 };
    // Each look at the memory is followed by a write.
    const copy = memory.bytes.copy.bind(memory.bytes);
    memory.bytes.copy = (...args) => {
      const count = copy(...args);
      if (memory.bytes[8]) memory.bytes[8]++;
      return count;
    };
    const mirror = new MapMirror(layout, "index");
    expect(walkInPlace(mirror, memory)).toEqual([]);
    memory.bytes[8] = 1;
    for (let value = 1; value < 5; value++) {
      expect(walkInPlace(mirror, memory)).toEqual([[1, value]]);
      expect(visited(mirror)).toEqual([0, value]);
    }
  });

  it("tells nothing of what is written behind a value", () => {
    const memory = { bytes: Buffer.alloc(16), stride: 8 };
    const mirror = new MapMirror({ ...layout, valueSize: 5, valueStride: 5 }, "index");
    walkInPlace(mirror, memory);
    memory.bytes[8 + 5] = 1;
    expect(walkInPlace(mirror, memory)).toEqual([]);
    memory.bytes[8 + 4] = 1;
    memory.bytes[8] = 7;
    expect(walkInPlace(mirror, memory)).toEqual([[1, 7]]);
    expect(walkInPlace(mirror, memory)).toEqual([]);
  });
});

/** Walks over an array of two elements; answers the index and the first byte of each put. */
function walkInPlace(mirror: MapMirror, memory: ValuesInPlace): number[][] {
  mirror.startWalk();
  mirror.meetInPlace(memory, 0, 1);
  mirror.meetInPlace(memory, 1, 1);
  const { puts, deletes } = mirror.finishWalk(undefined as never).take();
  expect(deletes.count).toBe(0);
  return Array.from({ length: puts.count }, (_, index) => [
    puts.keys.readUInt32LE(index * 4),
    puts.values[(index * puts.values.length) / puts.count] as number,
  ]);
}

function visited(mirror: MapMirror): number[] {
  const firstBytes: number[] = [];
  mirror.visit((_keys, _keyAt, values, at) => firstBytes.push(values[at] as number));
  return firstBytes;
}

/** A map, its mirror, and a subscriber who applies what is told. */
class Stage {
  readonly told = new Map<string, string>();
  readonly #map: KernelMap;
  readonly #hand: Hand;
  readonly #mirror: MapMirror;
  readonly #reader: ExactReader;
  /** Has the next stretch met; false at the end. */
  #meetNext: (() => boolean) | undefined;
  #hasWalked = false;
  readonly #late: ((key: Buffer) => void)[] = [];

  constructor(kind: StageKind) {
    this.#map = stageMap(kind);
    this.#hand = new Hand(this.#map);
    this.#mirror = new MapMirror(this.#map.layout, this.#map.target.keyKind);
    const [map, late] = [this.#map, this.#late];
    this.#reader = exactReader(
      map,
      class extends ExactReader {
        override read(keys: Buffer, at: number): Buffer | undefined {
          late.shift()?.(keys.subarray(at, at + map.layout.keySize));
          return super.read(keys, at);
        }
      },
    );
  }

  take(step: Step): void {
    if (step.do === "late") this.#late.push((key) => this.#write(key, step.value));
    else if (step.do === "meet") this.#meet();
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
    this.#meetNext = undefined;
    return log;
  }

  /** Walks with nobody beside. */
  settle(): void {
    this.#late.length = 0;
    this.walk();
    this.walk();
  }

  contents(): Map<string, string> {
    return this.#hand.contents();
  }

  snapshot(): Map<string, string> {
    const { keySize, valueStride } = this.#map.layout;
    const elements = new Map<string, string>();
    this.#mirror.visit((keys, keyAt, values, valueAt) => {
      const key = keys.toString("hex", keyAt, keyAt + keySize);
      expect(elements.has(key), `${key} stands twice`).toBe(false);
      elements.set(key, values.toString("hex", valueAt, valueAt + valueStride));
    });
    return elements;
  }

  #meet(): boolean {
    if (!this.#meetNext) {
      const { isMappable } = this.#map.target;
      this.#meetNext = isMappable ? this.#walkInPlace() : this.#walkBySource();
      this.#mirror.startWalk();
    }
    return this.#meetNext();
  }

  #walkBySource(): () => boolean {
    const source = startWalk("by batch", this.#map.target, { stretch: STRETCH });
    return () => {
      if (!source.next()) return false;
      this.#mirror.meet(source);
      return true;
    };
  }

  #walkInPlace(): () => boolean {
    const memory = ArrayMemory.open(this.#map.fd);
    onTestFinished(() => memory.unmap());
    let from = 0;
    return () => {
      if (from === KEYS) return false;
      this.#mirror.meetInPlace(memory, from, STRETCH);
      from += STRETCH;
      return true;
    };
  }

  #apply(log: ChangeLog, mayRepeat?: "may repeat"): void {
    const { keySize, valueStride } = this.#map.layout;
    const { puts, deletes } = log.take();
    for (let index = 0; index < puts.count; index++) {
      const key = puts.keys.toString("hex", index * keySize, (index + 1) * keySize);
      const at = index * valueStride;
      const value = puts.values.toString("hex", at, at + valueStride);
      if (!mayRepeat) expect(this.told.get(key), `put of ${key} again`).not.toBe(value);
      if (puts.before[index] === Before.VALUE) {
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

  #write(key: Buffer, value: number | undefined): void {
    if (value !== undefined) {
      this.#hand.update(key, Buffer.alloc(this.#map.layout.valueStride, value));
    } else if (this.#map.target.keyKind !== "index") {
      this.#hand.deleteIfThere(key);
    }
  }

  #put(key: number, value: number): void {
    this.#hand.update(this.#key(key), Buffer.alloc(this.#map.layout.valueStride, value));
  }

  #delete(key: number): void {
    if (this.#map.target.keyKind === "index") this.#put(key, 0);
    else this.#hand.deleteIfThere(this.#key(key));
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

function stageMap(kind: StageKind): KernelMap {
  if (!kind.startsWith("ARRAY in place")) return makeMap(kind as Walkable, { maxEntries: KEYS });
  const valueSize = kind.endsWith("of 12 bytes") ? 12 : 8;
  return makeMap("ARRAY", { maxEntries: KEYS, valueSize, flags: CreateFlag.MMAPABLE });
}

function exactReader(map: KernelMap, Reader = ExactReader): ExactReader {
  const reader = new Reader(map.target);
  onTestFinished(() => reader.release());
  return reader;
}

function u32(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
}
