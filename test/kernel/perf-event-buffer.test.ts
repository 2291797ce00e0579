import { describe, expect, it, onTestFinished } from "vitest";
import {
  Assembler,
  ElementCalls,
  EpollWaiter,
  FP,
  onlineCpus,
  PerfEventBuffer,
  programTestRun,
  R0,
  R1,
  R2,
  R3,
  R4,
  R5,
  R6,
} from "#dist/kernel/index.js";
import { PACKET, testMap, testProgram } from "./support/programs.js";

const PERF_EVENT_ARRAY = 4;
const CURRENT_CPU = 0xffffffffn;

/** A perf event array with a buffer for every CPU, all of them closed after the test. */
function testBuffers(pages: number): { map: number; buffers: PerfEventBuffer[] } {
  const cpus = onlineCpus();
  const maxEntries = Math.max(...cpus) + 1;
  const map = testMap({ type: PERF_EVENT_ARRAY, keySize: 4, valueSize: 4, maxEntries });
  const calls = new ElementCalls(map, 4, 4);
  onTestFinished(() => calls.release());
  const buffers = cpus.map((cpu) => {
    const buffer = PerfEventBuffer.open(cpu, pages);
    onTestFinished(() => buffer.close());
    calls.key.writeUInt32LE(cpu);
    calls.value.writeUInt32LE(buffer.fd);
    expect(calls.update()).toBeUndefined();
    return buffer;
  });
  return { map, buffers };
}

/** A program that writes samples of 16 bytes: the number of the run, and the time. */
function sampleWriter(map: number): number {
  const counter = testMap({ type: 2, keySize: 4, valueSize: 8, maxEntries: 1 });
  const program = new Assembler()
    .mov(R6, R1)
    .loadMapValue(R2, counter)
    .load("u64", R3, R2, 0)
    .store("u64", FP, -16, R3)
    .add(R3, 1)
    .store("u64", R2, 0, R3)
    .call("ktime_get_ns")
    .store("u64", FP, -8, R0)
    .mov(R1, R6)
    .loadMap(R2, map)
    .loadImmediate64(R3, CURRENT_CPU)
    .mov(R4, FP)
    .add(R4, -16)
    .mov(R5, 16)
    .call("perf_event_output")
    .return(0);
  return testProgram(program);
}

interface Read {
  readonly numbers: number[];
  readonly times: bigint[];
  lost: number;
}

function readAll(buffers: readonly PerfEventBuffer[], maxRecords?: number): Read {
  const read: Read = { numbers: [], times: [], lost: 0 };
  for (const buffer of buffers) {
    buffer.read(
      {
        sample(ring, start, end, timeNs) {
          expect(end - start).toBe(20);
          read.numbers.push(Number(ring.readBigUInt64LE(start)));
          read.times.push(timeNs);
        },
        lost(count) {
          read.lost += count;
        },
      },
      maxRecords,
    );
  }
  return read;
}

describe("perf event buffers", () => {
  it("hold every sample of every CPU, in order, however often the ring goes round", () => {
    const { map, buffers } = testBuffers(1);
    const writer = sampleWriter(map);
    const numbers: number[] = [];
    const before = process.hrtime.bigint();
    for (let round = 0; round < 50; round++) {
      programTestRun(writer, { data: PACKET, repeat: 40 });
      const read = readAll(buffers);
      expect(read.lost).toBe(0);
      numbers.push(...read.numbers.sort((a, b) => a - b));
      for (const time of read.times) {
        expect(time).toBeGreaterThanOrEqual(before);
        expect(time).toBeLessThanOrEqual(process.hrtime.bigint());
      }
    }
    expect(numbers).toEqual(Array.from({ length: 2000 }, (_, number) => number));
  });

  it("count exactly what found no room", () => {
    const { map, buffers } = testBuffers(1);
    const writer = sampleWriter(map);
    programTestRun(writer, { data: PACKET, repeat: 1000 });
    const kept = readAll(buffers).numbers.length;
    const counted = buffers.map((buffer) => buffer.lostSamples() ?? Number.NaN);
    expect(counted.reduce((sum, lost) => sum + lost)).toBe(1000 - kept);
    // The ring itself tells of losses in front of the next sample of the same CPU.
    let [lost, samples] = [0, kept];
    while (lost < 1000 - kept) {
      programTestRun(writer, { data: PACKET });
      const read = readAll(buffers);
      lost += read.lost;
      samples += read.numbers.length;
    }
    expect(lost).toBe(1000 - kept);
    expect(samples).toBeGreaterThan(kept);
  });

  it("wake a waiter for every sample, also for those that came before it was armed", async () => {
    const { map, buffers } = testBuffers(1);
    const writer = sampleWriter(map);
    const waiter = EpollWaiter.open();
    onTestFinished(() => waiter.close());
    programTestRun(writer, { data: PACKET });
    let rounds = 0;
    const numbers: number[] = [];
    await new Promise<void>((done) => {
      for (const buffer of buffers) {
        const watch = buffer.watch(waiter, () => {
          numbers.push(...readAll([buffer]).numbers);
          if (++rounds === 20) return done();
          // By turns before the watch is armed again, when only the buffer shows it, and after.
          const write = () => programTestRun(writer, { data: PACKET });
          if (rounds % 2 === 0) write();
          else setImmediate(write);
          watch.rearm();
        });
      }
    });
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, number) => number));
  });

  it("give only as many records as are asked for", () => {
    const { map, buffers } = testBuffers(1);
    const writer = sampleWriter(map);
    programTestRun(writer, { data: PACKET, repeat: 10 });
    const first = readAll(buffers, 3).numbers;
    expect(first.length).toBeLessThanOrEqual(3 * buffers.length);
    const numbers = [...first, ...readAll(buffers).numbers].sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 10 }, (_, number) => number));
    expect(buffers.every((buffer) => buffer.available === 0)).toBe(true);
  });

  it("are refused for a CPU that there is not, and in odd sizes", () => {
    expect(() => PerfEventBuffer.open(4000, 1)).toThrow(/perf_event_open: (ENODEV|EINVAL)/);
    expect(() => PerfEventBuffer.open(0, 3)).toThrow("mmap: EINVAL");
  });
});
