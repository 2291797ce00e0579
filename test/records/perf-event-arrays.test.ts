import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  Assembler,
  ElementCalls,
  FP,
  mapInfo,
  onlineCpus,
  ProgramType,
  programTestRun,
  R0,
  R1,
  R2,
  R3,
  R4,
  R5,
  R6,
} from "#dist/kernel/index.js";
import { PACKET, testMap, testProgram } from "../kernel/support/programs.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { PERF_EVENT_ARRAY, Recording, range, type TestRing, untilLeft } from "./support/rings.js";

const CURRENT_CPU = 0xffffffff;
const PRESERVE_ELEMS = 1 << 11;
const SLOTS = 16;

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

function perfArray(flags = 0): TestRing {
  const creation = { type: PERF_EVENT_ARRAY, keySize: 4, valueSize: 4, maxEntries: SLOTS, flags };
  const fd = testMap(creation);
  return { fd, id: mapInfo(fd).id };
}

interface SampleWriter {
  run(times: number): void;
  runOn(cpu: number): void;
  /** Samples that the program tried to write. */
  tried(): number;
  /** Those that the kernel did not take: full rings and empty slots. */
  failed(): number;
}

/** A program that writes its number, as u64, `size` bytes long. */
function sampleWriter(map: TestRing, size: number, slot = CURRENT_CPU): SampleWriter {
  const counters = testMap({ type: 2, keySize: 4, valueSize: 16, maxEntries: 1 });
  const program = () => {
    const assembler = new Assembler().mov(R6, R1);
    for (let at = 8; at < size; at += 8) assembler.store("u64", FP, at - 512, at);
    return assembler
      .loadMapValue(R2, counters)
      .load("u64", R3, R2, 0)
      .store("u64", FP, -512, R3)
      .add(R3, 1)
      .store("u64", R2, 0, R3)
      .mov(R1, R6)
      .loadMap(R2, map.fd)
      .loadImmediate64(R3, BigInt(slot))
      .mov(R4, FP)
      .add(R4, -512)
      .mov(R5, size)
      .call("perf_event_output")
      .jumpIf(R0, "==", 0, "written")
      .loadMapValue(R2, counters)
      .load("u64", R3, R2, 8)
      .add(R3, 1)
      .store("u64", R2, 8, R3)
      .label("written")
      .return(0);
  };
  const filter = testProgram(program());
  const tracepoint = testProgram(program(), { type: ProgramType.RAW_TRACEPOINT });
  const calls = new ElementCalls(counters, 4, 16);
  onTestFinished(() => calls.release());
  const counter = (at: number) => {
    calls.key.writeUInt32LE(0);
    expect(calls.lookup()).toBeUndefined();
    return Number(calls.value.readBigUInt64LE(at));
  };
  return {
    run: (times) => void programTestRun(filter, { data: PACKET, repeat: times }),
    runOn: (cpu) => void programTestRun(tracepoint, { cpu }),
    tried: () => counter(0),
    failed: () => counter(8),
  };
}

describe("the records of a perf event array", () => {
  it("come with their CPU and time, padded as the kernel pads them", async () => {
    const map = perfArray();
    const cpus = onlineCpus().filter((cpu) => cpu < SLOTS);
    const writer = sampleWriter(map, 16);
    const recording = await Recording.start(daemon.client, map);
    const before = process.hrtime.bigint();
    for (const cpu of cpus) writer.runOn(cpu);
    await recording.until(cpus.length);
    const after = process.hrtime.bigint();
    expect([...recording.cpus].sort()).toEqual(cpus);
    for (const [index, record] of recording.records.entries()) {
      expect(record).toHaveLength(20);
      expect(recording.numbers[index]).toBe(cpus.indexOf(recording.cpus[index] ?? -1));
      expect(record.readUInt32LE(8)).toBe(8);
      const time = recording.times[index] ?? 0n;
      expect(time > before && time < after).toBe(true);
    }
    expect(writer.failed()).toBe(0);
  });

  it.each([0, 1, 4, 5, 12, 13, 300])("may have %i bytes", async (size) => {
    const map = perfArray();
    const writer = sampleWriter(map, size);
    const recording = await Recording.start(daemon.client, map);
    writer.run(3);
    await recording.until(3);
    const padded = Math.ceil((size + 4) / 8) * 8 - 4;
    expect(recording.records.map(({ length }) => length)).toEqual([padded, padded, padded]);
  });

  it("keep the order of each CPU, and every subscriber gets them all", async () => {
    const map = perfArray();
    const writer = sampleWriter(map, 64);
    const first = await Recording.start(daemon.client, map, { pagesPerCpu: 256 });
    const second = await Recording.start(daemon.client, map);
    for (let run = 0; run < 20; run++) {
      writer.run(500);
      await Promise.all([first.until(500 * (run + 1)), second.until(500 * (run + 1))]);
    }
    expect(first.lost() + second.lost()).toBe(0);
    expect([...first.numbers].sort((a, b) => a - b)).toEqual(range(0, 10_000));
    expect(second.numbers).toEqual(first.numbers);
    expect(first.sequences).toEqual(range(0, 10_000).map(BigInt));
    for (const cpu of new Set(first.cpus)) {
      const own = first.times.filter((_, index) => first.cpus[index] === cpu) as bigint[];
      expect(own.every((time, index) => index === 0 || time >= (own[index - 1] as bigint))).toBe(
        true,
      );
    }
  });

  it("are told exactly where the kernel's ring was full, also when nothing follows", async () => {
    const map = perfArray();
    const writer = sampleWriter(map, 200);
    const recording = await Recording.start(daemon.client, map, { pagesPerCpu: 1 });
    for (let round = 1; round <= 20; round++) {
      writer.run(1000);
      await recording.until(round * 1000);
      expect(recording.numbers.length + recording.lost()).toBe(round * 1000);
    }
    expect(recording.lost()).toBe(writer.failed());
    expect(recording.lost()).toBe(recording.lost("RING_FULL"));
    expect(recording.lost()).toBeGreaterThan(0);
    expect(recording.losses.every(({ cpu }) => cpu !== undefined)).toBe(true);
    // A lost sample has no sequence number, and losses stand where numbers are missing.
    expect(recording.sequences).toEqual(range(0, recording.numbers.length).map(BigInt));
  });

  it("are told as lost where no ring of that size could hold them", async () => {
    const map = perfArray();
    const large = testMap({ type: 2, keySize: 4, valueSize: 8192, maxEntries: 1 });
    const program = new Assembler()
      .loadMap(R2, map.fd)
      .loadImmediate64(R3, BigInt(CURRENT_CPU))
      .loadMapValue(R4, large)
      .mov(R5, 6000)
      .call("perf_event_output")
      .exit();
    const writer = testProgram(program);
    const recording = await Recording.start(daemon.client, map, { pagesPerCpu: 1 });
    programTestRun(writer, { data: PACKET, repeat: 3 });
    await recording.until(3);
    expect(recording.numbers).toEqual([]);
    expect(recording.lost("RING_FULL")).toBe(3);
    // One that has room for them takes them.
    await recording.stop();
    await untilLeft(daemon, map);
    const roomy = await Recording.start(daemon.client, map, { pagesPerCpu: 8 });
    programTestRun(writer, { data: PACKET });
    await roomy.until(1);
    expect(roomy.records[0]).toHaveLength(6004);
  });

  it("can be those of one slot that is not the CPU's own", async () => {
    const map = perfArray();
    const cpu = onlineCpus()[0] as number;
    const writer = sampleWriter(map, 8, 7);
    const recording = await Recording.start(daemon.client, map, { slot: { cpu, index: 7 } });
    writer.runOn(cpu);
    writer.runOn(cpu);
    await recording.until(2);
    expect(recording.numbers).toEqual([0, 1]);
    expect(recording.cpus).toEqual([cpu, cpu]);
  });

  it.each([
    ["", 0],
    [" that keeps its elements", PRESERVE_ELEMS],
  ])("leave no event behind in a map%s", async (_, flags) => {
    const map = perfArray(flags);
    const writer = sampleWriter(map, 16);
    writer.run(1);
    expect(writer.failed()).toBe(1);
    const recording = await Recording.start(daemon.client, map);
    writer.run(5);
    await recording.until(5);
    expect(writer.failed()).toBe(1);
    await recording.stop();
    await untilLeft(daemon, map);
    writer.run(3);
    expect(writer.failed()).toBe(4);
    // And the next reader begins anew.
    const again = await Recording.start(daemon.client, map);
    writer.run(2);
    await again.until(2);
    expect(again.sequences).toEqual([0n, 1n]);
  });
});
