import { beforeAll, describe, expect, it } from "vitest";
import { Assembler, FP, R0, R1, R2, R3, R4, R6, R7 } from "#dist/kernel/index.js";
import { returned, testProgram } from "../kernel/support/programs.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { makeRing, Recording, type TestRing } from "./support/rings.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon({ args: ["--max-message-bytes", "4MiB"] });
  return () => daemon.dispose();
});

/** BPF_RB_NO_WAKEUP. */
const NO_WAKEUP = 1;

type Step = (program: Assembler) => Assembler;

/** Reserves a record, writes a number into its first and last bytes, and submits or discards it. */
function reserve(
  ring: TestRing,
  size: number,
  number: number,
  then: "submit" | "discard" = "submit",
): Step {
  return (program) => {
    program
      .loadMap(R1, ring.fd)
      .mov(R2, size)
      .mov(R3, 0)
      .call("ringbuf_reserve")
      .jumpIf(R0, "==", 0, "full");
    if (size >= 4) program.store("u32", R0, 0, number);
    // Offsets of stores have 16 bits only.
    if (size >= 8)
      program
        .mov(R1, R0)
        .add(R1, size - 4)
        .store("u32", R1, 0, number);
    return program.mov(R1, R0).mov(R2, 0).call(`ringbuf_${then}`);
  };
}

/** Copies a record out of the stack, with flags. */
function output(ring: TestRing, size: number, number: number, flags = 0): Step {
  return (program) =>
    program
      .store("u64", FP, -8, number)
      .loadMap(R1, ring.fd)
      .mov(R2, FP)
      .add(R2, -8)
      .mov(R3, size)
      .mov(R4, flags)
      .call("ringbuf_output")
      .jumpIf(R0, "!=", 0, "full");
}

/** Runs steps as one program; 1 where a record found no room. */
function run(...steps: Step[]): number {
  const program = new Assembler();
  for (const step of steps) program.part(step);
  return returned(testProgram(program.return(0).label("full").return(1)));
}

describe("records of a ring buffer", () => {
  it("may be of any length, also of none", async () => {
    const ring = makeRing(1 << 16);
    const recording = await Recording.start(daemon.client, ring);
    const sizes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 0];
    expect(run(...sizes.map((size, index) => output(ring, size, index + 1)))).toBe(0);
    await recording.until(sizes.length);
    expect(recording.records.map(({ length }) => length)).toEqual(sizes);
    for (const [index, record] of recording.records.entries()) {
      const expected = Buffer.alloc(8);
      expected.writeUInt32LE(index + 1);
      expect(record).toEqual(expected.subarray(0, record.length));
    }
  });

  it("may be larger than what is sent at once, up to the largest message", async () => {
    const ring = makeRing(1 << 23);
    const recording = await Recording.start(daemon.client, ring);
    const sizes = [100, 70_000, 8, 1 << 20, 65_536, 65_535, 3 << 20, 12];
    expect(run(...sizes.map((size, index) => reserve(ring, size, index + 1)))).toBe(0);
    await recording.until(sizes.length);
    expect(recording.records.map(({ length }) => length)).toEqual(sizes);
    expect(recording.numbers).toEqual(sizes.map((_, index) => index + 1));
    expect(recording.records.map((record) => record.readUInt32LE(record.length - 4))).toEqual(
      recording.numbers,
    );
  });

  it("are told as lost where no message could hold them, in their place", async () => {
    const ring = makeRing(1 << 24);
    const recording = await Recording.start(daemon.client, ring);
    const sizes = [16, 5 << 20, 16, 4 << 20, 16];
    expect(run(...sizes.map((size, index) => reserve(ring, size, index + 1)))).toBe(0);
    await recording.until(sizes.length);
    expect(recording.numbers).toEqual([1, 3, 5]);
    expect(recording.sequences).toEqual([0n, 2n, 4n]);
    expect(recording.losses).toEqual([
      { reason: "TOO_LARGE", count: 1, cpu: undefined, at: 1 },
      { reason: "TOO_LARGE", count: 1, cpu: undefined, at: 2 },
    ]);
  });

  it("are not those that the program gave up", async () => {
    const ring = makeRing(1 << 16);
    const recording = await Recording.start(daemon.client, ring);
    run(
      reserve(ring, 16, 1),
      reserve(ring, 16, 2, "discard"),
      reserve(ring, 16, 3),
      reserve(ring, 16, 4, "discard"),
    );
    run(reserve(ring, 16, 5));
    await recording.until(3);
    expect(recording.numbers).toEqual([1, 3, 5]);
    expect(recording.sequences).toEqual([0n, 1n, 2n]);
  });

  it("come in order also where one is finished late", async () => {
    const ring = makeRing(1 << 16);
    const recording = await Recording.start(daemon.client, ring);
    // The first record wakes the daemon, which then finds one that is not written yet. Its
    // program takes about a millisecond, and tells nobody when it is done.
    const late: Step = (program) =>
      program
        .loadMap(R1, ring.fd)
        .mov(R2, 8)
        .mov(R3, 0)
        .call("ringbuf_reserve")
        .jumpIf(R0, "==", 0, "full")
        .mov(R7, R0)
        .mov(R6, 0)
        .label("spin")
        .call("ktime_get_ns")
        .add(R6, 1)
        .jumpIf(R6, "<", 30_000, "spin")
        .store("u64", R7, 0, 2)
        .mov(R1, R7)
        .mov(R2, NO_WAKEUP)
        .call("ringbuf_submit");
    expect(run(output(ring, 8, 1), late, output(ring, 8, 3, NO_WAKEUP))).toBe(0);
    await recording.until(3);
    expect(recording.numbers).toEqual([1, 2, 3]);
  });

  it("come also where the program wakes nobody", async () => {
    const ring = makeRing(1 << 16);
    const recording = await Recording.start(daemon.client, ring);
    run(output(ring, 8, 1, NO_WAKEUP), output(ring, 8, 2, NO_WAKEUP));
    await recording.until(2);
    expect(recording.numbers).toEqual([1, 2]);
  });
});
