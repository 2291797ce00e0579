import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MapLayout } from "#dist/maps/map-layout.js";
import { MapType } from "#dist/maps/map-type.js";
import type { Chunk } from "#dist/maps/scan/chunk.js";
import { ChunkBuilder, type ChunkOptions } from "#dist/maps/scan/chunk-builder.js";
import type { ElementSource } from "#dist/maps/scan/element-source.js";
import { rows } from "../support/elements.js";

const LAYOUT: MapLayout = {
  type: MapType.PERCPU_HASH,
  keySize: 2,
  valueSize: 4,
  slotSize: 8,
  valueStride: 16,
  maxEntries: 100,
  cpus: [0, 1],
};

/** A stretch of elements numbered from `first`, in columns longer than they are. */
function stretch(first: number, count: number): ElementSource {
  const keys = Buffer.alloc((count + 1) * 2, 0xee);
  const values = Buffer.alloc((count + 1) * 16, 0xee);
  for (let index = 0; index < count; index++) {
    keys.writeUInt16LE(first + index, index * 2);
    values.fill(0, index * 16, (index + 1) * 16);
    values.writeUInt32LE(first + index, index * 16);
    values.writeUInt32LE((first + index) * 2, index * 16 + 8);
  }
  const stats = { restarts: 0, duplicatesDropped: 0 };
  return { count, keys, values, stats, next: () => false, release: () => {} };
}

/** The columns of a chunk, found by the room that was asked for. */
function columns(chunk: Chunk, room: ChunkOptions["room"]): { keys: Buffer; values: Buffer } {
  const buffer = Buffer.from(chunk.buffer);
  const valuesAt = room.before + chunk.keysLength + room.between;
  expect(buffer.length).toBe(valuesAt + chunk.valuesLength);
  return {
    keys: buffer.subarray(room.before, room.before + chunk.keysLength),
    values: buffer.subarray(valuesAt),
  };
}

const plain = { projection: "keys_and_values", room: { before: 0, between: 0 } } as const;
const numbers = (keys: Buffer) => rows(keys, 2).map((key) => key.readUInt16LE());

describe("ChunkBuilder", () => {
  it("puts every chosen element into chunks in order, whatever the sizes", () => {
    const options = fc.record({
      projection: fc.constantFrom("keys_and_values", "keys", "values" as const),
      cpuView: fc.constantFrom(undefined, { cpu: 1 }, { fold: "sum_u32" as const }),
      room: fc.record({ before: fc.nat(20), between: fc.nat(20) }),
      chunkBytes: fc.integer({ min: 1, max: 200 }),
    });
    fc.assert(
      fc.property(
        options,
        fc.array(fc.integer({ min: 0, max: 30 })),
        fc.integer({ min: 1, max: 4 }),
        (asked, stretches, modulo) => {
          const builder = new ChunkBuilder(LAYOUT, asked as ChunkOptions);
          const chunks: Chunk[] = [];
          const keep = (chunk: Chunk | undefined) => chunk && chunks.push(chunk);
          const isChosen = (keys: Buffer, at: number) => keys.readUInt16LE(at) % modulo === 0;
          let first = 0;
          for (const count of stretches) {
            const source = stretch(first, count);
            for (let index = 0; index < count; ) {
              index = builder.add(source, index, Number.POSITIVE_INFINITY, isChosen).next;
              keep(builder.take(false));
            }
            first += count;
          }
          keep(builder.take(true));
          expect(builder.take(true)).toBeUndefined();

          const expected = Array.from({ length: first }, (_, n) => n).filter(
            (n) => n % modulo === 0,
          );
          const parts = chunks.map((chunk) => columns(chunk, asked.room));
          const keys = Buffer.concat(parts.map((part) => part.keys));
          const values = Buffer.concat(parts.map((part) => part.values));
          expect(numbers(keys)).toEqual(asked.projection === "values" ? [] : expected);
          const { cpuView } = asked;
          const factor = cpuView && "cpu" in cpuView ? 2 : cpuView ? 3 : 1;
          expect(rows(values, cpuView ? 4 : 16).map((value) => value.readUInt32LE())).toEqual(
            asked.projection === "keys" ? [] : expected.map((number) => number * factor),
          );
          expect(chunks.reduce((sum, { count }) => sum + count, 0)).toBe(expected.length);
          for (const chunk of chunks) {
            const payload = chunk.keysLength + chunk.valuesLength;
            expect(payload <= asked.chunkBytes || chunk.count === 1).toBe(true);
          }
        },
      ),
    );
  });

  it("leaves the room around the columns zero", () => {
    const room = { before: 5, between: 3 };
    const builder = new ChunkBuilder(LAYOUT, { ...plain, room, chunkBytes: 100 });
    const { buffer, keysLength } = builder.whole(stretch(0x0101, 2), 2);
    expect([...buffer.subarray(0, 5)]).toEqual([0, 0, 0, 0, 0]);
    expect([...buffer.subarray(5 + keysLength, 5 + keysLength + 3)]).toEqual([0, 0, 0]);
  });

  it("gives each chunk a buffer of its own, which can be handed away", () => {
    const builder = new ChunkBuilder(LAYOUT, { ...plain, chunkBytes: 100 });
    const { buffer } = builder.whole(stretch(0, 2), 2);
    expect(buffer.byteOffset).toBe(0);
    expect(buffer.buffer.byteLength).toBe(buffer.length);
  });

  it("takes stretches whole where no slot has to be chosen or folded", () => {
    const whole = (options: Partial<ChunkOptions>) =>
      new ChunkBuilder(LAYOUT, { ...plain, chunkBytes: 100, ...options }).takesWhole;
    expect(whole({})).toBe(true);
    expect(whole({ cpuView: { cpu: 0 } })).toBe(false);
    expect(whole({ cpuView: { cpu: 0 }, projection: "keys" })).toBe(true);
    expect(whole({ projection: "values" })).toBe(true);
  });

  it("adds no more than it is told to", () => {
    const builder = new ChunkBuilder(LAYOUT, { ...plain, chunkBytes: 1000 });
    expect(builder.add(stretch(0, 10), 0, 3, undefined)).toEqual({ next: 3, added: 3 });
    expect(builder.add(stretch(10, 10), 4, 2, undefined)).toEqual({ next: 6, added: 2 });
    expect(numbers(columns(builder.take(true) as Chunk, plain.room).keys)).toEqual([
      0, 1, 2, 14, 15,
    ]);
  });
});
