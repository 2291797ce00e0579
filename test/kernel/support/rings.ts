import {
  Assembler,
  BtfBuilder,
  btfLoad,
  closeFd,
  FP,
  R0,
  R1,
  R2,
  R3,
  R4,
  R5,
  R6,
  R7,
  R8,
} from "#dist/kernel/index.js";
import { testMap, testProgram } from "./programs.js";

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

/** A program that takes all records out of a user ring and puts their first 8 bytes into a ring. */
export function drainProgram(from: number, to: number): number {
  const program = new Assembler()
    .loadMap(R1, from)
    .loadFunction(R2, "each")
    .mov(R3, 0)
    .mov(R4, 0)
    .call("user_ringbuf_drain")
    .exit()
    .label("each")
    .mov(R3, R1)
    .mov(R1, FP)
    .add(R1, -8)
    .mov(R2, 8)
    .mov(R4, 0)
    .mov(R5, 0)
    .call("dynptr_read")
    .jumpIf(R0, "!=", 0, "short")
    .loadMap(R1, to)
    .mov(R2, FP)
    .add(R2, -8)
    .mov(R3, 8)
    .mov(R4, 0)
    .call("ringbuf_output")
    .label("short")
    .return(0);
  const btf = new BtfBuilder();
  const long = btf.add({ kind: "int", name: "long", size: 8, signed: true });
  const pointer = btf.add({ kind: "ptr", type: 0 });
  const parameter = { name: "ctx", type: pointer };
  const main = btf.add({ kind: "func_proto", returnType: long, parameters: [parameter] });
  const parameters = [{ name: "record", type: pointer }, parameter];
  const each = btf.add({ kind: "func_proto", returnType: long, parameters });
  const functions = [
    { instruction: 0, typeId: btf.add({ kind: "func", name: "drain", type: main, linkage: 1 }) },
    {
      instruction: program.position("each"),
      typeId: btf.add({ kind: "func", name: "each", type: each, linkage: 0 }),
    },
  ];
  const btfFd = btfLoad(btf.build());
  try {
    return testProgram(program, { btfFd, functions });
  } finally {
    closeFd(btfFd);
  }
}
