import { DumpMapResponseSchema } from "@bpfmapd/client/proto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  DUMP_CHUNK_OVERHEAD,
  DUMP_CHUNK_ROOM,
  encodeDumpChunk,
} from "#dist/rpc/messages/dump-frame.js";

const { before, between } = DUMP_CHUNK_ROOM;

/** A chunk as the scan makes it: garbage in the room, columns in their places. */
function chunkOf(count: number, keys: Uint8Array, values: Uint8Array, tail = 0) {
  const size = before + keys.length + between + values.length + tail;
  const buffer = new Uint8Array(size).fill(0xa5);
  buffer.set(keys, before);
  buffer.set(values, before + keys.length + between);
  return { count, buffer, keysLength: keys.length, valuesLength: values.length };
}

function decode(bytes: Buffer) {
  const { kind } = fromBinary(DumpMapResponseSchema, new Uint8Array(bytes));
  if (kind.case !== "elements") return expect.fail(`decoded as ${kind.case}`);
  return kind.value;
}

const u32 = fc.oneof(
  fc.nat(0xffffffff),
  fc.constantFrom(0, 1, 127, 128, 16383, 16384, 2097151, 2097152, 268435455, 268435456, 0xffffffff),
);
const column = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  // Lengths on both sides of where a varint grows.
  fc
    .constantFrom(0, 1, 127, 128, 129, 16383, 16384, 16385, 70000)
    .map((length) => new Uint8Array(length).fill(7)),
);

describe("the frame around a chunk", () => {
  test("decodes to the chunk, for all counts and columns", () => {
    fc.assert(
      fc.property(u32, column, column, fc.nat(16), (count, keys, values, tail) => {
        const chunk = chunkOf(count, keys, values, tail);
        const decoded = decode(encodeDumpChunk(chunk));
        expect(decoded.count).toBe(count);
        expect(decoded.keys).toEqual(keys);
        expect(decoded.values).toEqual(values);
      }),
    );
  });

  test("is what protobuf-es writes, but for the padding of one length", () => {
    fc.assert(
      fc.property(u32, column, column, (count, keys, values) => {
        const message = create(DumpMapResponseSchema, {
          kind: { case: "elements", value: { count, keys, values } },
        });
        const plain = toBinary(DumpMapResponseSchema, message);
        const bytes = encodeDumpChunk(chunkOf(count, keys, values));
        if (values.length === 0) expect(new Uint8Array(bytes)).toEqual(plain);
        const again = fromBinary(DumpMapResponseSchema, new Uint8Array(bytes));
        expect(toBinary(DumpMapResponseSchema, again)).toEqual(plain);
      }),
    );
  });

  test("lies in the chunk's own memory and changes none of its columns", () => {
    const keys = new Uint8Array([1, 2, 3, 4]);
    const values = new Uint8Array([5, 6, 7, 8, 9, 10, 11, 12]);
    const chunk = chunkOf(1, keys, values);
    const frame = encodeDumpChunk(chunk);
    expect(frame.buffer).toBe(chunk.buffer.buffer);
    expect(frame.byteOffset).toBeGreaterThanOrEqual(chunk.buffer.byteOffset);
    expect(chunk.buffer.subarray(before, before + 4)).toEqual(keys);
    expect(chunk.buffer.subarray(before + 4 + between)).toEqual(values);
  });

  test("takes a chunk that is part of a larger buffer", () => {
    const whole = chunkOf(2, new Uint8Array([1, 2]), new Uint8Array([3, 4]));
    const larger = new Uint8Array(whole.buffer.length + 100).fill(0xee);
    larger.set(whole.buffer, 50);
    const buffer = larger.subarray(50, 50 + whole.buffer.length);
    const decoded = decode(encodeDumpChunk({ ...whole, buffer }));
    expect(decoded).toMatchObject({
      count: 2,
      keys: new Uint8Array([1, 2]),
      values: new Uint8Array([3, 4]),
    });
    expect(larger.subarray(0, 50)).toEqual(new Uint8Array(50).fill(0xee));
  });

  test("never makes a chunk larger than its columns and the overhead that is told", () => {
    fc.assert(
      fc.property(u32, column, column, (count, keys, values) => {
        const bytes = encodeDumpChunk(chunkOf(count, keys, values));
        expect(bytes.length).toBeLessThanOrEqual(keys.length + values.length + DUMP_CHUNK_OVERHEAD);
      }),
    );
  });
});
