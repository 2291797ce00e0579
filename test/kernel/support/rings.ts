import { Assembler, FP, R0, R1, R2, R3, R4, R6, R7, R8 } from "#dist/kernel/index.js";
import { testMap } from "./programs.js";

/** A ring buffer map that goes when the test is over. */
export function testRing(bytes: number): number {
  return testMap({ type: 27, keySize: 0, valueSize: 0, maxEntries: bytes });
}

/** A map with two u64: the number of the next record, and how many found no room. */
export function testCounters(): number {
  return testMap({ type: 2, keySize: 4, valueSize: 16, maxEntries: 1 });
}

/**
 * Writes `records` records of `size` bytes into a ring at every run. Each starts with its
 * number as u64, which goes on from run to run.
 */
export function recordWriter(ring: number, counters: number, records: number, size: number) {
  const program = new Assembler().mov(R6, 0).loadMapValue(R7, counters);
  for (let at = 0; at < size; at += 8) program.store("u64", FP, at - size, at);
  return program
    .label("next")
    .load("u64", R8, R7, 0)
    .store("u64", FP, -size, R8)
    .add(R8, 1)
    .store("u64", R7, 0, R8)
    .loadMap(R1, ring)
    .mov(R2, FP)
    .add(R2, -size)
    .mov(R3, size)
    .mov(R4, 0)
    .call("ringbuf_output")
    .jumpIf(R0, "==", 0, "written")
    .load("u64", R8, R7, 8)
    .add(R8, 1)
    .store("u64", R7, 8, R8)
    .label("written")
    .add(R6, 1)
    .jumpIf(R6, "<", records, "next")
    .return(0);
}
