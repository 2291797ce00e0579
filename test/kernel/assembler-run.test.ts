import { describe, expect, it } from "vitest";
import { Assembler, FP, R0, R1, R2, R3, R6 } from "#dist/kernel/index.js";
import { returned, testProgram } from "./support/programs.js";

/** What clang 14 has no syntax for is judged by what it does. */
describe("programs as the kernel runs them", () => {
  it.each<[string, (assembler: Assembler) => Assembler, number]>([
    ["mod", (a) => a.mov(R0, 17).mod(R0, 5), 2],
    ["signed numbers in 64 bits", (a) => a.mov(R0, -16).arsh(R0, 2).rsh(R0, 60), 15],
    ["a byte stored as a number", (a) => a.store("u8", FP, -1, 200).load("u8", R0, FP, -1), 200],
    [
      "a sign extended by a store",
      (a) => a.store("u64", FP, -8, -7).load("u64", R0, FP, -8).rsh(R0, 32),
      0xffffffff,
    ],
    ["a sign extended by a load", (a) => a.store("u16", FP, -2, -2).load("s16", R0, FP, -2), -2],
    [
      "loads of 64 bits",
      (a) => a.loadImmediate64(R0, 0x1234_5678_0000_0000n).rsh(R0, 32),
      0x12345678,
    ],
    ["a jump on bits", (a) => a.mov(R0, 6).jumpIf(R0, "&", 4, "end").mov(R0, 0).label("end"), 6],
    [
      "fetch and add",
      (a) =>
        a
          .store("u64", FP, -8, 40)
          .mov(R1, 2)
          .atomic("fetch_add", "u64", FP, -8, R1)
          .load("u64", R0, FP, -8)
          .mul(R0, R1),
      42 * 40,
    ],
    [
      "exchange",
      (a) => a.store("u32", FP, -4, 5).mov(R0, 6).atomic("exchange", "u32", FP, -4, R0),
      5,
    ],
    [
      "compare and exchange",
      (a) =>
        a
          .store("u64", FP, -8, 5)
          .mov(R0, 5)
          .mov(R1, 9)
          .atomic("compare_exchange", "u64", FP, -8, R1)
          .load("u64", R2, FP, -8)
          .mul(R0, R2),
      45,
    ],
    [
      "a call to a part of the program",
      (a) =>
        a.mov(R1, 20).callLabel("double").add(R0, 2).exit().label("double").mov(R0, R1).add(R0, R0),
      42,
    ],
    [
      "a loop",
      (a) =>
        a.mov(R0, 0).mov(R3, 0).label("next").add(R0, R3).add(R3, 1).jumpIf(R3, "<=", 100, "next"),
      5050,
    ],
    ["bytes swapped", (a) => a.mov(R0, 0x1234).bigEndian(R0, 16), 0x3412],
    ["a helper", (a) => a.call("get_smp_processor_id").mov(R6, R0).rsh(R0, 16), 0],
  ])("%s", (_, write, result) => {
    expect(returned(testProgram(write(new Assembler()).exit()))).toBe(result >>> 0);
  });
});
