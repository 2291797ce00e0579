import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type AggregateRequest,
  aggregateElements,
  type MapHost,
  type NumberPlace,
} from "#dist/maps/index.js";
import type { AggregateArgs, AggregateResult } from "#dist/maps/scan/aggregate-job.js";
import { resultOf } from "#dist/maps/threads/thread-pool.js";
import { hex, rows, sampleKey, u32 } from "./support/elements.js";
import { startHost } from "./support/host.js";
import {
  Hand,
  type KernelMap,
  makeMap,
  WALKABLE,
  type Walkable,
  withoutBatches,
} from "./support/kernel-map.js";
import { expectFailure } from "./support/outcome.js";

let host: MapHost;
beforeAll(async () => {
  const started = await startHost();
  host = started.host;
  return started.close;
});

const signal = new AbortController().signal;
const U64: NumberPlace = { offset: 0, bits: 64, signed: false };
const I64: NumberPlace = { offset: 0, bits: 64, signed: true };

const aggregate = (id: number, request: Partial<AggregateRequest> = {}) =>
  aggregateElements(
    host,
    {
      map: { by: "id", id },
      fields: [{ place: U64, fold: "sum", histogram: true }],
      ...request,
    },
    signal,
  );

/** Numbers that a u64 counter can have; many at the ends. */
const u64s = fc.oneof(
  fc.bigInt(0n, 2n ** 64n - 1n),
  fc.constantFrom(0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
);

/** A map in which each element of the first has these numbers, one for each slot. */
function filled(
  type: Walkable,
  elements: number,
  numberOf: (index: number, cpu: number) => bigint,
) {
  // An LRU map evicts before it is full.
  const map = makeMap(type, { maxEntries: type.startsWith("LRU") ? elements * 4 : elements });
  const { layout, target } = map;
  const hand = new Hand(map);
  for (let index = 0; index < elements; index++) {
    const value = Buffer.alloc(layout.valueStride);
    for (let at = 0; at < layout.valueStride; at += layout.slotSize) {
      value.writeBigUInt64LE(BigInt.asUintN(64, numberOf(index, at / layout.slotSize)), at);
    }
    hand.update(sampleKey(layout, index, target.keyKind), value);
  }
  return map;
}

/** The elements of a map by single lookups, each with the numbers of its slots. */
function numbersOf(map: KernelMap, signed: boolean): { key: string; slots: bigint[] }[] {
  return [...new Hand(map).contents()].map(([key, value]) => {
    const bytes = Buffer.from(value, "hex");
    const slots = [];
    for (let at = 0; at < bytes.length; at += map.layout.slotSize) {
      slots.push(signed ? bytes.readBigInt64LE(at) : bytes.readBigUInt64LE(at));
    }
    return { key, slots };
  });
}

const sumOf = (numbers: readonly bigint[]) => numbers.reduce((sum, number) => sum + number, 0n);

const ascending = (numbers: readonly bigint[]) => [...numbers].sort((a, b) => (a < b ? -1 : 1));

/** What numbers come to, in the plainest way. */
function totalsOf(numbers: readonly bigint[]) {
  const sorted = ascending(numbers);
  const buckets: number[] = [];
  for (const number of numbers.filter((number) => number >= 0n)) {
    const bucket = number === 0n ? 0 : number.toString(2).length;
    while (buckets.length <= bucket) buckets.push(0);
    buckets[bucket]!++;
  }
  const negative = numbers.filter((number) => number < 0n).length;
  return {
    count: numbers.length,
    sum: sumOf(numbers),
    min: sorted[0],
    max: sorted.at(-1),
    histogram: { negative, buckets },
  };
}

/** All keys, by descending numbers and then by their bytes. */
function ranked(elements: readonly { key: string; number: bigint }[]) {
  return [...elements].sort((a, b) => {
    if (a.number !== b.number) return a.number > b.number ? -1 : 1;
    return a.key < b.key ? -1 : 1;
  });
}

describe("AggregateElements", () => {
  it.each(WALKABLE)("folds all u64 numbers of a %s past 64 bits", async (type) => {
    const numbers = fc.sample(u64s, { numRuns: 4000, seed: 8 });
    const map = filled(type, 1000, (index, cpu) => numbers[(index * 4 + cpu) % 4000]!);
    const elements = numbersOf(map, false).map(({ key, slots }) => ({ key, number: sumOf(slots) }));
    const answer = await aggregate(map.id, { top: { field: 0, limit: 17, jsonKeys: false } });
    expect(elements).toHaveLength(1000);
    expect(answer).toMatchObject({
      mapId: map.id,
      bootId: host.identity.bootId,
      elements: 1000,
      complete: true,
      totals: [totalsOf(elements.map(({ number }) => number))],
    });
    const expected = ranked(elements);
    expect(answer.totals[0]!.sum).toBeGreaterThan(2n ** 64n);
    expect(rows(answer.top!.keys, map.layout.keySize).map(hex)).toEqual(
      expected.slice(0, 17).map(({ key }) => key),
    );
    expect(answer.top!.numbers).toEqual(expected.slice(0, 17).map(({ number }) => number));
    expect(answer.top!.othersMax).toBe(expected[17]!.number);
  });

  it("folds signed numbers, below 0 too, by any fold over the CPUs", async () => {
    const numbers = fc.sample(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), { numRuns: 999, seed: 3 });
    const map = filled("PERCPU_HASH", 300, (index, cpu) => numbers[(index * 7 + cpu) % 999]!);
    const elements = numbersOf(map, true);
    const folds = ["sum", "min", "max"] as const;
    const { totals } = await aggregate(map.id, {
      fields: folds.map((fold) => ({ place: I64, fold, histogram: true })),
    });
    const byFold = {
      sum: sumOf,
      min: (slots: bigint[]) => ascending(slots)[0]!,
      max: (slots: bigint[]) => ascending(slots).at(-1)!,
    };
    for (const [index, fold] of folds.entries()) {
      expect(totals[index]).toEqual(totalsOf(elements.map(({ slots }) => byFold[fold](slots))));
    }
    expect(totals[1]!.histogram!.negative).toBeGreaterThan(0);
  });

  it.each([8, 16, 32, 64] as const)("reads numbers of %i bits where they stand", async (bits) => {
    const map = makeMap("HASH", { valueSize: 24 });
    const hand = new Hand(map);
    const bytes = Buffer.from(fc.sample(fc.nat({ max: 255 }), { numRuns: 24 * 100, seed: bits }));
    for (let index = 0; index < 100; index++) {
      hand.update(u32(index), bytes.subarray(index * 24, index * 24 + 24));
    }
    const offsets = [0, 3, 24 - bits / 8];
    const places = offsets.flatMap((offset) => [
      { offset, bits, signed: false },
      { offset, bits, signed: true },
    ]);
    const { totals } = await aggregate(map.id, {
      fields: places.map((place) => ({ place, fold: "sum", histogram: true })),
    });
    for (const [index, { offset, signed }] of places.entries()) {
      const numbers = Array.from({ length: 100 }, (_, row) => {
        const from = row * 24 + offset;
        const little = [...bytes.subarray(from, from + bits / 8)].reverse();
        const number = BigInt(`0x${Buffer.from(little).toString("hex")}`);
        return signed ? BigInt.asIntN(bits, number) : number;
      });
      expect(totals[index]).toEqual(totalsOf(numbers));
    }
  });

  it("folds only what a filter chooses, and nothing to nothing", async () => {
    const map = filled("HASH", 3000, (index) => BigInt(index));
    const filter = { keyPrefix: Buffer.from([0x10]) };
    const chosen = Array.from({ length: 3000 }, (_, index) => BigInt(index)).filter(
      (index) => (index & 0xffn) === 0x10n,
    );
    expect(await aggregate(map.id, { filter })).toMatchObject({
      elements: chosen.length,
      totals: [totalsOf(chosen)],
    });
    const empty = await aggregate(makeMap("HASH").id, {
      top: { field: 0, limit: 3, jsonKeys: false },
    });
    expect(empty).toMatchObject({
      elements: 0,
      complete: true,
      totals: [{ count: 0, sum: 0n, min: undefined, max: undefined }],
      top: { count: 0, numbers: [], othersMax: undefined },
    });
  });

  it("tells all keys where there are no more than asked for, and that nothing is left out", async () => {
    const map = filled("HASH", 100, (index) => BigInt(index % 10));
    const elements = numbersOf(map, false).map(({ key, slots }) => ({ key, number: slots[0]! }));
    const { top } = await aggregate(map.id, { top: { field: 0, limit: 100, jsonKeys: false } });
    expect(top!.othersMax).toBeUndefined();
    expect(rows(top!.keys, 4).map(hex)).toEqual(ranked(elements).map(({ key }) => key));
  });

  it("tells where it could not read all", async () => {
    const { target } = filled("HASH", 20_000, () => 1n);
    const field = {
      side: "value",
      bitOffset: 0,
      shape: { kind: "int", name: "u64", bits: 64, signed: false },
    } as const;
    const args: AggregateArgs = {
      target: withoutBatches(target),
      fields: [{ field, fold: "sum", histogram: false }],
      dedupMemoryBytes: 16 << 10,
    };
    const job = host.threads.run<never, AggregateResult>("aggregate", args, signal);
    const { complete, totals } = await resultOf(job);
    expect(complete).toBe(false);
    expect(totals[0]!.sum).toBeLessThan(20_000n);
  });

  it("refuses maps without keys, places outside the value, and paths where there are no types", async () => {
    await expectFailure(aggregate(makeMap("QUEUE", { keySize: 0 }).id), "OPERATION_NOT_SUPPORTED");
    const { id } = filled("HASH", 3, () => 1n);
    const with64 = (offset: number) =>
      aggregate(id, { fields: [{ place: { ...U64, offset }, fold: "sum", histogram: false }] });
    await expectFailure(with64(1), "FIELD_INVALID", "fields[0].raw.offset");
    await expectFailure(with64(2 ** 32 - 1), "FIELD_INVALID", "fields[0].raw.offset");
    const path = { place: { path: "value.bytes" }, fold: "sum", histogram: false } as const;
    await expectFailure(aggregate(id, { fields: [path] }), "NO_TYPES");
    const top = { field: 0, limit: 1, jsonKeys: true };
    await expectFailure(aggregate(id, { top }), "NO_TYPES");
  });
});
