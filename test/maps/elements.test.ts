import { beforeAll, describe, expect, it } from "vitest";
import { mapFreeze } from "#dist/kernel/index.js";
import {
  deleteElements,
  lookupElements,
  type MapHost,
  type MapRef,
  nextKey,
  takeElements,
  updateElements,
} from "#dist/maps/index.js";
import { columnsOf, hex, prefix, range, rows, u32 } from "./support/elements.js";
import { startHost } from "./support/host.js";
import { Hand, type KernelMap, makeMap } from "./support/kernel-map.js";
import { expectFailure } from "./support/outcome.js";

let host: MapHost;
beforeAll(async () => {
  const started = await startHost({ limits: { maxMessageBytes: 1 << 20 } });
  host = started.host;
  return started.close;
});

const refOf = ({ id }: KernelMap): MapRef => ({ by: "id", id });
const ANY = { mode: "any", lock: false, onError: "stop" } as const;
const READ = { lock: false, onError: "stop" } as const;

function write(map: KernelMap, elements: readonly (readonly [Uint8Array, Uint8Array])[]) {
  return updateElements(host, { map: refOf(map), elements: columnsOf(elements), ...ANY });
}

function read(map: KernelMap, keys: readonly Uint8Array[], more = {}) {
  const asked = { map: refOf(map), keys: Buffer.concat(keys), count: keys.length };
  return lookupElements(host, { ...asked, ...READ, ...more });
}

describe("per-CPU values", () => {
  const cpus = () => host.identity.possibleCpus;

  it("answers with one CPU's slot, or with all of them folded", async () => {
    const map = makeMap("PERCPU_HASH", { valueSize: 8 });
    const value = Buffer.alloc(map.layout.valueStride);
    for (const slot of cpus().keys()) value.writeBigUInt64LE(2n ** 63n + BigInt(slot), slot * 8);
    await write(map, [[u32(1), value]]);
    const view = async (cpuView: object) => {
      const { elements } = await read(map, [u32(1)], { cpuView });
      return Buffer.from(elements.values).readBigUInt64LE();
    };
    const slots = [...cpus().keys()].map((slot) => 2n ** 63n + BigInt(slot));
    for (const [slot, cpu] of cpus().entries()) {
      expect(await view({ cpu })).toBe(2n ** 63n + BigInt(slot));
    }
    const sum = slots.reduce((a, b) => a + b);
    expect(await view({ fold: "sum_u64" })).toBe(BigInt.asUintN(64, sum));
    expect(await view({ fold: "max_u64" })).toBe(slots.at(-1));
  });

  it("writes one CPU's slot and keeps the others", async () => {
    for (const type of ["PERCPU_HASH", "PERCPU_ARRAY", "LRU_PERCPU_HASH"] as const) {
      const map = makeMap(type, { valueSize: 3 });
      await write(map, [[u32(7), Buffer.alloc(map.layout.valueStride, 0x11)]]);
      const elements = columnsOf([[u32(7), Buffer.from([1, 2, 3])]]);
      const cpu = cpus().at(-1) ?? 0;
      await updateElements(host, { map: refOf(map), elements, cpuTarget: { cpu }, ...ANY });
      const slots = rows((await read(map, [u32(7)])).elements.values, 8);
      expect(hex(slots.at(-1)?.subarray(0, 3) as Buffer)).toBe("010203");
      for (const slot of slots.slice(0, -1)) expect(hex(slot.subarray(0, 3))).toBe("111111");
    }
  });

  it.each([
    ["cpu_view", "cpu_view.cpu", "CPU_OUT_OF_RANGE", { cpu: 100_000 }],
    ["cpu_view", "cpu_view.fold", "VALUE_SIZE_MISMATCH", { fold: "sum_u64" }],
  ])("refuses a %s that the map does not have: %s", async (_, field, reason, cpuView) => {
    const map = makeMap("PERCPU_HASH", { valueSize: 12 });
    await expectFailure(read(map, [u32(1)], { cpuView }), reason as "CPU_OUT_OF_RANGE", field);
  });

  it("refuses views and targets of maps that are not per-CPU", async () => {
    const map = makeMap("HASH");
    await expectFailure(read(map, [u32(1)], { cpuView: { cpu: 0 } }), "FIELD_INVALID", "cpu_view");
    const elements = columnsOf([[u32(1), Buffer.alloc(8)]]);
    const cpuTarget = { allCpus: true } as const;
    const call = updateElements(host, { map: refOf(map), elements, cpuTarget, ...ANY });
    await expectFailure(call, "FIELD_INVALID", "cpu_target");
  });
});

describe("sizes", () => {
  it.each([
    ["HASH", 1, 1],
    ["HASH", 512, 1 << 19],
    ["LRU_HASH", 255, 7],
    ["PERCPU_HASH", 4, 32 << 10],
    ["PERCPU_ARRAY", 4, 32 << 10],
    ["ARRAY", 4, 1],
    ["ARRAY", 4, (1 << 20) - 64],
    ["LPM_TRIE", 260, 256],
    ["LPM_TRIE", 5, 1],
  ] as const)(
    "reads back what was written to a %s, key %i value %i",
    async (type, keySize, valueSize) => {
      const map = makeMap(type, { keySize, valueSize, maxEntries: 5 });
      const elements = range(map.layout, 0, 3, map.target.keyKind);
      expect(await write(map, elements)).toMatchObject({ applied: 3 });
      for (const [key, value] of elements) {
        const { elements: found } = await read(map, [key]);
        expect(Buffer.from(found.values).equals(value)).toBe(true);
      }
    },
  );

  it.each<[string, string, (map: KernelMap) => Promise<unknown>]>([
    ["KEY_SIZE_MISMATCH", "keys", (map) => read(map, [Buffer.alloc(3)])],
    ["KEY_SIZE_MISMATCH", "key", (map) => nextKey(host, refOf(map), Buffer.alloc(5))],
    [
      "KEY_SIZE_MISMATCH",
      "elements.keys",
      (map) => write(map, [[Buffer.alloc(5), Buffer.alloc(8)]]),
    ],
    ["VALUE_SIZE_MISMATCH", "elements.values", (map) => write(map, [[u32(1), Buffer.alloc(7)]])],
  ])("answers %s for %s that do not fit, and changes nothing", async (reason, field, call) => {
    const map = makeMap("HASH");
    const hand = new Hand(map);
    hand.update(u32(0), Buffer.alloc(8, 1));
    const before = hand.contents();
    await expectFailure(call(map), reason as "KEY_SIZE_MISMATCH", field);
    expect(hand.contents()).toEqual(before);
  });

  it("tells one key of the wrong length from several keys", async () => {
    const map = makeMap("HASH");
    const asked = { map: refOf(map), keys: Buffer.alloc(8), count: 1, onError: "stop" } as const;
    await expectFailure(
      lookupElements(host, { ...asked, lock: false }),
      "KEY_SIZE_MISMATCH",
      "keys",
    );
    await expectFailure(deleteElements(host, asked), "KEY_SIZE_MISMATCH", "keys");
    await expectFailure(takeElements(host, asked), "KEY_SIZE_MISMATCH", "keys");
  });

  it("answers LIMIT_EXCEEDED where the values would not fit into a message", async () => {
    const map = makeMap("HASH", { valueSize: 300 << 10, maxEntries: 10 });
    const keys = [0, 1, 2, 3].map((index) => u32(index));
    await expectFailure(read(map, keys), "LIMIT_EXCEEDED", "keys");
    const asked = { map: refOf(map), keys: Buffer.concat(keys), count: 4 };
    await expectFailure(takeElements(host, { ...asked, onError: "continue" }), "LIMIT_EXCEEDED");
  });

  it("takes nothing where the message around the values would be too large", async () => {
    // 16 values of 64 KiB are 1 MiB, as much as a message may have with all that is in it.
    const map = makeMap("HASH", { valueSize: 1 << 16, maxEntries: 16 });
    const keys = Array.from({ length: 16 }, (_, index) => u32(index));
    const hand = new Hand(map);
    for (const key of keys) hand.update(key, Buffer.alloc(1 << 16, 7));
    const asked = { map: refOf(map), keys: Buffer.concat(keys), count: 16 };
    const call = takeElements(host, { ...asked, onError: "stop" });
    await expectFailure(call, "LIMIT_EXCEEDED", "keys");
    expect(hand.contents().size).toBe(16);
  });

  it("reads as many values as a message holds, though they might all be missing", async () => {
    const map = makeMap("HASH", { valueSize: 8, maxEntries: 4 });
    const keys = Array.from({ length: 100_000 }, () => u32(1));
    new Hand(map).update(u32(1), Buffer.alloc(8, 1));
    const { failures } = await read(map, keys, { onError: "continue" });
    expect(failures).toEqual([]);
  });

  it("changes nothing where a list of all failures would not fit into a message", async () => {
    const map = makeMap("HASH", { valueSize: 1, maxEntries: 4 });
    const hand = new Hand(map);
    hand.update(u32(0), Buffer.of(1));
    const count = 130_000;
    const keys = Buffer.alloc(count * 4);
    for (let index = 0; index < count; index++) keys.writeUInt32LE(index, index * 4);
    const asked = { map: refOf(map), onError: "continue" } as const;
    const byKey = { ...asked, keys, count };
    await expectFailure(takeElements(host, byKey), "LIMIT_EXCEEDED", "keys");
    await expectFailure(deleteElements(host, byKey), "LIMIT_EXCEEDED", "keys");
    const elements = { count, keys, values: Buffer.alloc(count, 2) };
    const update = updateElements(host, { ...asked, elements, mode: "any", lock: false });
    await expectFailure(update, "LIMIT_EXCEEDED", "elements");
    expect([...hand.contents().values()]).toEqual(["01"]);
  });
});

describe("keys out of range", () => {
  it("names the first index past the end of an array, and writes nothing", async () => {
    const map = makeMap("ARRAY", { maxEntries: 4 });
    const value = Buffer.alloc(8, 9);
    const call = write(
      map,
      [1, 3, 4, 9].map((index) => [u32(index), value] as const),
    );
    const error = await expectFailure(call, "KEY_OUT_OF_RANGE", "elements.keys");
    expect(error.metadata).toMatchObject({ index: "2" });
    expect([...new Hand(map).contents().values()]).toEqual(Array(4).fill("0000000000000000"));
    await expectFailure(read(map, [u32(4)]), "KEY_OUT_OF_RANGE", "keys");
  });

  it("names a prefix that is longer than the trie's keys", async () => {
    const map = makeMap("LPM_TRIE");
    const call = write(map, [[prefix(33, [1, 2, 3, 4]), Buffer.alloc(8)]]);
    await expectFailure(call, "KEY_OUT_OF_RANGE", "elements.keys");
    await expectFailure(read(map, [prefix(33, [])]), "KEY_OUT_OF_RANGE", "keys");
  });
});

describe("a refusal that lies in the map", () => {
  it("answers MAP_FROZEN for the first element, whatever on_error says", async () => {
    const map = makeMap("HASH");
    new Hand(map).update(u32(1), Buffer.alloc(8));
    mapFreeze(map.fd);
    const elements = columnsOf(range(map.layout, 0, 5));
    const more = { mode: "any", lock: false, onError: "continue" } as const;
    const call = updateElements(host, { map: refOf(map), elements, ...more });
    const error = await expectFailure(call, "MAP_FROZEN");
    expect(error.metadata).toMatchObject({ index: "0", applied: "0" });
    const keys = { map: refOf(map), keys: u32(1), count: 1, onError: "continue" } as const;
    await expectFailure(deleteElements(host, keys), "MAP_FROZEN");
    expect((await read(map, [u32(1)])).failures).toEqual([]);
  });

  it("answers FIELD_INVALID for lock where the values have no spin lock", async () => {
    const map = makeMap("HASH");
    new Hand(map).update(u32(1), Buffer.alloc(8));
    await expectFailure(read(map, [u32(1)], { lock: true }), "FIELD_INVALID", "lock");
    const elements = columnsOf(range(map.layout, 0, 1));
    const call = updateElements(host, { map: refOf(map), elements, ...ANY, lock: true });
    await expectFailure(call, "FIELD_INVALID", "lock");
  });

  it("fills what there is room for, and tells where it became full", async () => {
    const map = makeMap("HASH", { maxEntries: 3000 });
    const elements = columnsOf(range(map.layout, 0, 5000));
    const error = await expectFailure(
      updateElements(host, { map: refOf(map), elements, ...ANY }),
      "MAP_FULL",
    );
    expect(error.metadata).toMatchObject({ index: "3000", applied: "3000" });
    const more = { mode: "any", lock: false, onError: "continue" } as const;
    const { applied, failures } = await updateElements(host, {
      map: refOf(map),
      elements,
      ...more,
    });
    expect(applied).toBe(3000);
    expect(failures).toHaveLength(2000);
    expect(failures[0]).toEqual({ index: 3000, reason: "MAP_FULL" });
    expect(failures.at(-1)).toEqual({ index: 4999, reason: "MAP_FULL" });
  });

  it.each([
    ["QUEUE", "PushElements"],
    ["STACK", "PushElements"],
    ["BLOOM_FILTER", "PushElements"],
  ] as const)(
    "answers OPERATION_NOT_SUPPORTED for a %s, and says what to use",
    async (type, hint) => {
      const map = makeMap(type, { keySize: 0 });
      const elements = { count: 1, keys: Buffer.alloc(0), values: Buffer.alloc(8) };
      const call = updateElements(host, { map: refOf(map), elements, ...ANY });
      const error = await expectFailure(call, "OPERATION_NOT_SUPPORTED");
      expect(error.message).toContain(hint);
      await expectFailure(nextKey(host, refOf(map)), "OPERATION_NOT_SUPPORTED");
    },
  );
});

describe("nextKey", () => {
  it("walks all keys in the kernel's order and ends with ELEMENT_NOT_FOUND", async () => {
    const map = makeMap("HASH");
    const hand = new Hand(map);
    for (const [key, value] of range(map.layout, 0, 50)) hand.update(key, value);
    const seen: string[] = [];
    let key = (await nextKey(host, refOf(map))).keys;
    for (let step = 1; step < 50; step++) {
      seen.push(hex(key));
      key = (await nextKey(host, refOf(map), key)).keys;
    }
    expect([...seen, hex(key)]).toEqual(hand.keys().map(hex));
    await expectFailure(nextKey(host, refOf(map), key), "ELEMENT_NOT_FOUND");
  });
});
