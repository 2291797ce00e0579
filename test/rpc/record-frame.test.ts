import { ReadRecordsResponseSchema } from "@bpfmapd/client/proto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BatchBuilder } from "#dist/records/batch-builder.js";
import type { RecordBatch } from "#dist/records/index.js";
import { encodeRecords, RECORD_OVERHEAD, RECORD_ROOM } from "#dist/rpc/messages/record-frame.js";

interface Sample {
  readonly bytes: Uint8Array;
  readonly cpu: number;
  readonly timeNs: bigint;
}

const PATTERN = Uint8Array.from({ length: 65537 }, (_, index) => index % 251);

const sample: fc.Arbitrary<Sample> = fc.record({
  bytes: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    // Lengths on both sides of where a varint grows, a loop becomes a call, and a batch ends.
    fc
      .constantFrom(0, 1, 3, 4, 127, 128, 191, 192, 193, 16383, 16384, 65535, 65536, 65537)
      .map((length) => PATTERN.subarray(0, length)),
  ),
  cpu: fc.constantFrom(0, 1, 127, 128, 16384, 0xffffffff),
  timeNs: fc.bigInt(0n, 2n ** 64n - 1n),
});

/** The batches that a ring's records become, from a ring that is aligned or not. */
function batchesOf(samples: readonly Sample[], timed: boolean, shift: number): RecordBatch[] {
  const builder = new BatchBuilder(RECORD_ROOM, 1 << 20, timed);
  builder.expect(samples.reduce((sum, { bytes }) => sum + bytes.length + 8, 0));
  for (const { bytes, cpu, timeNs } of samples) {
    const ring = Buffer.alloc(bytes.length + shift);
    ring.set(bytes, shift);
    builder.add(ring, shift, shift + bytes.length, cpu, timeNs);
  }
  return builder.take().map((report) => {
    return report.type === "batch" ? report.batch : expect.fail(`a ${report.type}`);
  });
}

function decode(frame: Buffer) {
  const { kind } = fromBinary(ReadRecordsResponseSchema, new Uint8Array(frame));
  return kind.case === "records" ? kind.value : expect.fail(`decoded as ${kind.case}`);
}

describe("the frame around records", () => {
  test.each([false, true])("decodes to the records, for all records (with CPUs: %s)", (timed) => {
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 30 }), fc.nat(8), (samples, shift) => {
        const decoded = batchesOf(samples, timed, shift).map((batch) =>
          decode(encodeRecords(batch)),
        );
        const records = decoded.flatMap(({ sizes, data }) => {
          let at = 0;
          return sizes.map((size) => {
            at += size;
            return data.slice(at - size, at);
          });
        });
        // Compared as a whole: element by element takes a minute.
        expect(records).toHaveLength(samples.length);
        const isWrong = (bytes: Uint8Array, index: number) =>
          Buffer.compare(bytes, samples[index]?.bytes ?? new Uint8Array()) !== 0;
        expect(records.findIndex(isWrong)).toBe(-1);
        expect(decoded.flatMap(({ cpus }) => cpus)).toEqual(
          timed ? samples.map(({ cpu }) => cpu) : [],
        );
        expect(decoded.flatMap(({ timesNs }) => timesNs)).toEqual(
          timed ? samples.map(({ timeNs }) => timeNs) : [],
        );
        let next = 0n;
        for (const { firstSequence, sizes } of decoded) {
          expect(firstSequence).toBe(next);
          next += BigInt(sizes.length);
        }
      }),
    );
  });

  test("is as long as what protobuf-es writes, and made once for all who get it", () => {
    const samples = [3, 200, 0, 64].map((length, cpu) => {
      return { bytes: new Uint8Array(length).fill(cpu), cpu, timeNs: BigInt(cpu) };
    });
    const [batch] = batchesOf(samples, true, 0) as [RecordBatch];
    const frame = encodeRecords(batch);
    const message = create(ReadRecordsResponseSchema, {
      kind: { case: "records", value: decode(frame) },
    });
    expect(frame).toHaveLength(toBinary(ReadRecordsResponseSchema, message).length);
    expect(encodeRecords(batch)).toBe(frame);
    expect(frame.buffer).toBe(batch.buffer.buffer);
  });

  test("is never larger than its one record and the overhead that is reckoned with", () => {
    for (const length of [0, 127, 128, 65536, 1 << 20]) {
      const one = { bytes: new Uint8Array(length), cpu: 0xffffffff, timeNs: 1n };
      const [batch] = batchesOf([one], true, 0) as [RecordBatch];
      const late = { ...batch, firstSequence: Number.MAX_SAFE_INTEGER };
      const frame = encodeRecords(late);
      expect(frame.length).toBeLessThanOrEqual(length + RECORD_OVERHEAD);
      expect(decode(frame).firstSequence).toBe(BigInt(Number.MAX_SAFE_INTEGER));
    }
  });
});
