import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  ArrayMemory,
  Assembler,
  EpollWaiter,
  pageSize,
  programTestRun,
  R0,
  R1,
  R2,
  R3,
  RingBufferReader,
} from "#dist/kernel/index.js";
import { PACKET, returned, testMap, testProgram } from "./support/programs.js";
import { recordWriter, testCounters, testRing } from "./support/rings.js";

const MMAPABLE_ARRAY = { type: 2, keySize: 4, flags: 1 << 10 };

function openReader(ring: number): RingBufferReader {
  const reader = RingBufferReader.open(ring);
  onTestFinished(() => reader.close());
  return reader;
}

/** Takes what is there: the numbers that the records start with. */
function numbers(reader: RingBufferReader, maxRecords?: number): number[] {
  const found: number[] = [];
  reader.read((ring, start) => void found.push(Number(ring.readBigUInt64LE(start))), maxRecords);
  return found;
}

function counts(counters: number): { written: number; refused: number } {
  const memory = ArrayMemory.open(counters);
  const [next, refused] = [0, 8].map((at) => Number(memory.bytes.readBigUInt64LE(at)));
  memory.unmap();
  return { written: (next as number) - (refused as number), refused: refused as number };
}

/** Counters that can be read while programs write. */
function mappedCounters(): number {
  return testMap({ ...MMAPABLE_ARRAY, valueSize: 16, maxEntries: 1 });
}

describe("a reader of a ring buffer", () => {
  it("takes a million records of 64 bytes, each whole and in order", () => {
    const ring = testRing(1 << 24);
    const writer = testProgram(recordWriter(ring, testCounters(), 1000, 64));
    const reader = openReader(ring);
    let next = 0;
    let whole = true;
    for (let round = 0; round < 20; round++) {
      programTestRun(writer, { data: PACKET, repeat: 50 });
      const read = reader.read((bytes, start, end) => {
        whole &&= end - start === 64;
        whole &&= bytes.readUInt32LE(start) === next;
        whole &&= bytes.readUInt32LE(end - 8) === 56;
        next++;
      });
      expect(read).toBe(50_000);
    }
    expect(whole).toBe(true);
    expect(next).toBe(1_000_000);
    expect(reader.available).toBe(0);
  });

  it("is told of records by the waiter while another thread writes, and misses none", async () => {
    const ring = testRing(1 << 20);
    const counters = mappedCounters();
    const writer = testProgram(recordWriter(ring, counters, 100, 64));
    const reader = openReader(ring);
    const waiter = EpollWaiter.open();
    onTestFinished(() => waiter.close());
    const seen: number[] = [];
    const watch = waiter.watch(ring, "readable", () => {
      seen.push(...numbers(reader));
      watch.rearm();
    });
    const face = new URL("../../dist/kernel/index.js", import.meta.url).href;
    const thread = new Worker(
      `const { workerData } = require("node:worker_threads");
       import(workerData.face).then(({ programTestRun }) => {
         for (let run = 0; run < 1000; run++) {
           programTestRun(workerData.writer, { data: new Uint8Array(14) });
         }
       });`,
      { eval: true, workerData: { face, writer } },
    );
    await once(thread, "exit");
    watch.end();
    seen.push(...numbers(reader));
    const { written, refused } = counts(counters);
    expect(written + refused).toBe(100_000);
    expect(seen).toHaveLength(written);
    expect(seen.every((number, index) => index === 0 || number > (seen[index - 1] as number))).toBe(
      true,
    );
  });

  it("goes over the end of the ring without breaking a record", () => {
    const ring = testRing(pageSize());
    const writer = testProgram(recordWriter(ring, testCounters(), 1, 200));
    const reader = openReader(ring);
    for (let number = 0; number < 100; number++) {
      programTestRun(writer, { data: PACKET });
      const bytes: Buffer[] = [];
      reader.read((data, start, end) => void bytes.push(Buffer.from(data.subarray(start, end))));
      expect(bytes).toHaveLength(1);
      expect(bytes[0]?.readUInt32LE(0)).toBe(number);
      expect(bytes[0]?.readUInt32LE(192)).toBe(192);
    }
  });

  it("leaves to the program what finds no room, and goes on after", () => {
    const ring = testRing(pageSize());
    const counters = mappedCounters();
    const writer = testProgram(recordWriter(ring, counters, 100, 64));
    const reader = openReader(ring);
    programTestRun(writer, { data: PACKET });
    const { written, refused } = counts(counters);
    expect(written).toBe(Math.floor(pageSize() / 72));
    expect(refused).toBe(100 - written);
    expect(reader.available).toBe(written * 72);
    expect(numbers(reader)).toEqual(Array.from({ length: written }, (_, number) => number));
    programTestRun(writer, { data: PACKET });
    expect(numbers(reader)[0]).toBe(100);
  });

  it("reads as many as it is asked for, and those of a visitor that throws are gone", () => {
    const ring = testRing(1 << 16);
    const writer = testProgram(recordWriter(ring, testCounters(), 10, 64));
    const reader = openReader(ring);
    programTestRun(writer, { data: PACKET });
    expect(numbers(reader, 3)).toEqual([0, 1, 2]);
    expect(() =>
      reader.read((ring, start) => {
        if (ring.readUInt32LE(start) === 4) throw new Error("enough");
      }),
    ).toThrow("enough");
    expect(numbers(reader)).toEqual([5, 6, 7, 8, 9]);
  });

  it("skips records that the program gave up", () => {
    const ring = testRing(1 << 16);
    const reserve = (then: "submit" | "discard", value: number) => (program: Assembler) =>
      program
        .loadMap(R1, ring)
        .mov(R2, 12)
        .mov(R3, 0)
        .call("ringbuf_reserve")
        .jumpIf(R0, "==", 0, "full")
        .store("u64", R0, 0, value)
        .store("u32", R0, 8, value)
        .mov(R1, R0)
        .mov(R2, 0)
        .call(`ringbuf_${then}`);
    const program = new Assembler()
      .part(reserve("submit", 1))
      .part(reserve("discard", 2))
      .part(reserve("submit", 3))
      .label("full")
      .return(0);
    const reader = openReader(ring);
    returned(testProgram(program));
    const lengths: number[] = [];
    reader.read((_, start, end) => void lengths.push(end - start));
    expect(lengths).toEqual([12, 12]);
    expect(reader.available).toBe(0);
  });

  it("refuses maps that are no ring buffers", () => {
    const array = testMap({ ...MMAPABLE_ARRAY, valueSize: 8, maxEntries: 1 << 12 });
    expect(() => RingBufferReader.open(array)).toThrow("mmap: EINVAL");
    const other = testMap({ type: 31, keySize: 0, valueSize: 0, maxEntries: pageSize() });
    expect(() => RingBufferReader.open(other)).toThrow("mmap: EINVAL");
  });
});

it("unmaps so that late readers of a ring see nothing instead of ending the process", () => {
  const ring = testRing(pageSize());
  const writer = testProgram(recordWriter(ring, testCounters(), 1, 64));
  const reader = RingBufferReader.open(ring);
  programTestRun(writer, { data: PACKET });
  let kept: Buffer | undefined;
  reader.read((bytes, start, end) => {
    kept = bytes.subarray(start, end);
  });
  expect(kept?.readUInt32LE(8)).toBe(8);
  reader.close();
  expect(kept?.readUInt32LE(8)).toBe(0);
  expect(reader.read(() => expect.unreachable())).toBe(0);
});
