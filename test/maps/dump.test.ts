import { beforeAll, describe, expect, it } from "vitest";
import { type DumpItem, dumpMap, type MapHost } from "#dist/maps/index.js";
import { startChurn } from "./support/churn.js";
import { dumped } from "./support/dumped.js";
import { byKey, hex, range, rows, u32 } from "./support/elements.js";
import { startHost } from "./support/host.js";
import { Hand, type KernelMap, makeMap, type Shape, WALKABLE } from "./support/kernel-map.js";
import { expectFailure } from "./support/outcome.js";

let host: MapHost;
beforeAll(async () => {
  const started = await startHost();
  host = started.host;
  return started.close;
});

/** A map with elements 0 to `count - 1`. */
function filled(type: (typeof WALKABLE)[number], count: number, shape: Shape = {}) {
  const maxEntries = type.startsWith("LRU") ? count * 4 : count;
  const map = makeMap(type, { maxEntries, ...shape });
  const hand = new Hand(map);
  const elements = range(map.layout, 0, count, map.target.keyKind);
  for (const [key, value] of elements) hand.update(key, value);
  return { ...map, hand, elements };
}

const KEYS = { projection: "keys" } as const;

describe("a dump", () => {
  it.each(WALKABLE)(
    "sends every element of a %s once, and says that it is complete",
    async (type) => {
      const { id, elements, layout } = filled(type, 700);
      const dump = await dumped(host, id, { chunkBytes: 4096 });
      expect(byKey(dump.elements)).toEqual(byKey(elements));
      expect(dump.elements).toHaveLength(700);
      expect(dump.valueStride).toBe(layout.valueStride);
      expect(dump.summary).toMatchObject({ sent: 700, scanned: 700, complete: true, restarts: 0 });
      expect(dump.summary.endTimeMs).toBeGreaterThanOrEqual(dump.summary.startTimeMs);
    },
  );

  it("starts with a header that tells the map, and ends with the summary", async () => {
    const { id } = filled("HASH", 10);
    const kinds: string[] = [];
    const request = { map: { by: "id", id }, room: { before: 0, between: 0 }, ...KEYS } as const;
    for await (const item of dumpMap(host, request, new AbortController().signal)) {
      kinds.push(item.kind);
      if (item.kind === "header") expect(item).toMatchObject({ map: { id }, valueStride: 0 });
    }
    expect(kinds).toEqual(["header", "chunk", "summary"]);
  });

  it.each(["HASH", "PERCPU_HASH", "LPM_TRIE"] as const)(
    "of a %s sends what stands still exactly once while others come and go",
    async (type) => {
      const { id, elements, ...map } = filled(type, 3000, { maxEntries: 3600 });
      const moving = range(map.layout, 5000, 5600, map.target.keyKind).map(([key]) => key);
      const churn = await startChurn({ id, ...map }, moving);
      for (let round = 0; round < 5; round++) {
        const dump = await dumped(host, id, { chunkBytes: 2048 });
        const once = byKey(dump.elements);
        expect(once.size).toBe(dump.elements.length);
        expect(dump.summary).toMatchObject({ complete: true, sent: once.size });
        for (const [key, value] of byKey(elements)) expect(once.get(key)).toBe(value);
      }
      expect(churn.rounds).toBeGreaterThan(1);
    },
  );
});

describe("a projection", () => {
  it("sends keys only, or values only", async () => {
    const { id, elements } = filled("HASH", 300);
    const keys = await dumped(host, id, { projection: "keys" });
    expect(keys.valueStride).toBe(0);
    expect(keys.elements.map(([key]) => hex(key)).sort()).toEqual(
      elements.map(([key]) => hex(key)).sort(),
    );
    const values = await dumped(host, id, { projection: "values" });
    expect(values.elements.map(([, value]) => hex(value)).sort()).toEqual(
      elements.map(([, value]) => hex(value)).sort(),
    );
  });

  it("of keys only costs no memory for values that would not fit", async () => {
    // 16,384 values of 1 MiB, as many as there may be short keys in a stretch, are 16 GiB.
    const { id } = filled("HASH", 20, { valueSize: 1 << 20 });
    const dump = await dumped(host, id, { projection: "keys" });
    expect(dump.summary).toMatchObject({ sent: 20, complete: true });
  });
});

describe("chunks", () => {
  it.each([1, 100, 1000, 1 << 20])("have about %i bytes, or one element", async (chunkBytes) => {
    const { id, elements } = filled("HASH", 500, { valueSize: 60 });
    const dump = await dumped(host, id, { chunkBytes });
    expect(byKey(dump.elements)).toEqual(byKey(elements));
    for (const { count, bytes } of dump.chunks) {
      expect(count === 1 || bytes <= chunkBytes).toBe(true);
    }
  });

  it("stay that small where a bucket has more elements than a chunk", async () => {
    // 64 elements in 64 buckets: some bucket has several, whatever the seed.
    const { id, elements } = filled("HASH", 64, { valueSize: 1000 });
    const dump = await dumped(host, id, { chunkBytes: 1500 });
    expect(byKey(dump.elements)).toEqual(byKey(elements));
    expect(dump.chunks.map(({ count }) => count)).toEqual(Array(64).fill(1));
  });

  it("have one element where a value is larger than any message", async () => {
    const valueSize = 64 << 20;
    const map = makeMap("ARRAY", { valueSize, maxEntries: 2 });
    const value = Buffer.alloc(valueSize, 0x5a);
    value.writeUInt32LE(0xfeedbeef, valueSize - 4);
    new Hand(map).update(u32(1), value);
    const dump = await dumped(host, map.id);
    expect(dump.chunks).toEqual([
      { count: 1, bytes: valueSize + 4 },
      { count: 1, bytes: valueSize + 4 },
    ]);
    expect(dump.elements[1]?.[1].equals(value)).toBe(true);
  });
});

describe("a filter", () => {
  const lookFor = async (map: KernelMap, filter: object) => {
    const { elements, summary } = await dumped(host, map.id, { filter, chunkBytes: 256 });
    return { keys: elements.map(([key]) => key.readUInt32LE()).sort((a, b) => a - b), summary };
  };

  it("sends only chosen elements and counts all that were read", async () => {
    const map = filled("HASH", 1000);
    const { keys, summary } = await lookFor(map, { keyPrefix: Buffer.from([7]) });
    expect(keys).toEqual([7, 263, 519, 775]);
    expect(summary).toMatchObject({ sent: 4, scanned: 1000, complete: true });
  });

  it("compares indices of arrays as numbers", async () => {
    const map = filled("ARRAY", 1000);
    const { keys } = await lookFor(map, { keyRange: { start: u32(254), end: u32(258) } });
    expect(keys).toEqual([254, 255, 256, 257]);
  });

  it("chooses per-CPU values by any slot", async () => {
    const map = makeMap("PERCPU_ARRAY", { maxEntries: 10 });
    const value = Buffer.alloc(map.layout.valueStride);
    value[map.layout.valueStride - 8] = 0x40;
    new Hand(map).update(u32(3), value);
    const valueMatch = { mask: Buffer.from([0x40]), match: Buffer.from([0xff]) };
    expect((await lookFor(map, { valueMatch })).keys).toEqual([3]);
  });

  it("of the wrong size is refused before anything is sent", async () => {
    const { id } = filled("HASH", 10);
    const filter = { keyPrefix: Buffer.alloc(5) };
    await expectFailure(dumped(host, id, { filter }), "KEY_SIZE_MISMATCH", "filter.key_prefix");
  });
});

describe("max_elements", () => {
  it.each([1, 99, 100, 101, 350, 399])(
    "%i of 400 are sent, and the dump is not complete",
    async (maxElements) => {
      const { id } = filled("ARRAY", 400);
      const dump = await dumped(host, id, { maxElements, chunkBytes: 1200 });
      expect(dump.elements.map(([key]) => key.readUInt32LE())).toEqual(
        Array.from({ length: maxElements }, (_, index) => index),
      );
      expect(dump.summary).toMatchObject({
        sent: maxElements,
        complete: false,
        incompleteReason: "max_elements",
      });
    },
  );

  it.each([400, 401])("%i of 400 are all, and the dump is complete", async (maxElements) => {
    const { id } = filled("ARRAY", 400);
    const { summary } = await dumped(host, id, { maxElements, chunkBytes: 1200 });
    expect(summary).toMatchObject({ sent: 400, complete: true });
    expect(summary.incompleteReason).toBeUndefined();
  });

  it("is not reached where only unchosen elements are left", async () => {
    const { id } = filled("ARRAY", 400);
    const filter = { keyRange: { end: u32(10) } };
    const { summary } = await dumped(host, id, { maxElements: 10, filter, chunkBytes: 64 });
    expect(summary).toMatchObject({ sent: 10, complete: true });
  });
});

describe("per-CPU values in a dump", () => {
  it("are one slot, or folded", async () => {
    const map = makeMap("PERCPU_HASH", { valueSize: 4 });
    const hand = new Hand(map);
    for (let index = 0; index < 50; index++) {
      const value = Buffer.alloc(map.layout.valueStride);
      for (const slot of map.layout.cpus.keys()) value.writeUInt32LE(index + slot, slot * 8);
      hand.update(u32(index), value);
    }
    const cpu = map.layout.cpus.at(-1) ?? 0;
    const last = map.layout.cpus.length - 1;
    const one = await dumped(host, map.id, { cpuView: { cpu }, chunkBytes: 64 });
    expect(one.valueStride).toBe(4);
    for (const [key, value] of one.elements) {
      expect(value.readUInt32LE()).toBe(key.readUInt32LE() + last);
    }
    const sum = await dumped(host, map.id, { cpuView: { fold: "sum_u32" } });
    for (const [key, value] of sum.elements) {
      const index = key.readUInt32LE();
      const slots = map.layout.cpus.map((_, slot) => index + slot);
      expect(value.readUInt32LE()).toBe(slots.reduce((a, b) => a + b));
    }
    expect(sum.elements).toHaveLength(50);
  });

  it("stand whole, one slot for each possible CPU, otherwise", async () => {
    const { id, elements, layout } = filled("PERCPU_ARRAY", 20, { valueSize: 5 });
    const dump = await dumped(host, id);
    expect(dump.valueStride).toBe(8 * layout.cpus.length);
    expect(byKey(dump.elements)).toEqual(byKey(elements));
  });

  it("cannot be viewed in a dump of keys", async () => {
    const { id } = filled("PERCPU_HASH", 3);
    const call = dumped(host, id, { ...KEYS, cpuView: { cpu: 0 } });
    await expectFailure(call, "FIELD_INVALID", "cpu_view");
  });
});

describe("a slow dump", () => {
  it("keeps to max_elements_per_second and sends everything", async () => {
    const { id, elements } = filled("HASH", 60);
    const dump = await dumped(host, id, { maxElementsPerSecond: 300 });
    expect(byKey(dump.elements)).toEqual(byKey(elements));
    expect(dump.summary).toMatchObject({ complete: true, scanned: 60 });
  });

  it("tells its progress, which only grows", async () => {
    const { id } = filled("ARRAY", 200);
    const request = { map: { by: "id", id }, room: { before: 0, between: 0 }, ...KEYS } as const;
    const paced = { ...request, maxElementsPerSecond: 400, progressIntervalMs: 100 };
    const progress: Extract<DumpItem, { kind: "progress" }>[] = [];
    for await (const item of dumpMap(host, paced, new AbortController().signal)) {
      if (item.kind === "progress") progress.push(item);
    }
    expect(progress.length).toBeGreaterThan(0);
    const scanned = progress.map((item) => item.scanned);
    expect(scanned).toEqual([...scanned].sort((a, b) => a - b));
    for (const { sent, scanned: read } of progress) expect(sent).toBeLessThanOrEqual(read);
  });
});

describe("maps that cannot be dumped", () => {
  it.each(["QUEUE", "STACK", "BLOOM_FILTER"] as const)("%s has no keys", async (type) => {
    const { id } = makeMap(type, { keySize: 0 });
    await expectFailure(dumped(host, id), "OPERATION_NOT_SUPPORTED");
  });

  it("that are gone are answered MAP_NOT_FOUND", async () => {
    await expectFailure(dumped(host, 0x7fffffff), "MAP_NOT_FOUND");
  });
});

it("the columns of a chunk stand where the room was asked for", async () => {
  const { id } = filled("ARRAY", 3);
  const room = { before: 11, between: 7 };
  const request = { map: { by: "id", id }, projection: "keys_and_values", room } as const;
  for await (const item of dumpMap(host, request, new AbortController().signal)) {
    if (item.kind !== "chunk") continue;
    const { buffer, keysLength } = item.chunk;
    const bytes = Buffer.from(buffer);
    expect(rows(bytes.subarray(11, 11 + keysLength), 4).map((key) => key.readUInt32LE())).toEqual([
      0, 1, 2,
    ]);
    expect(rows(bytes.subarray(11 + keysLength + 7), 8)[2]?.readUInt32LE()).toBe(2);
  }
});
