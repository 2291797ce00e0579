import { describe, expect, it } from "vitest";
import { Assembler, FP, R0, R1, R2, R3, R6 } from "#dist/kernel/index.js";
import { assembledByClang } from "./support/clang.js";

/** Instructions as lines of hexadecimal digits, which read better in a failure. */
function lines(bytes: Uint8Array): string[] {
  return Buffer.from(bytes).toString("hex").match(/.{16}/g) ?? [];
}

describe("the assembler", () => {
  it("encodes as clang does", () => {
    const ours = new Assembler()
      .mov(R6, R1)
      .mov(R1, -5)
      .add(R1, R2)
      .add(R1, 0x7fffffff)
      .sub(R2, 1)
      .mul(R3, R1)
      .div(R3, 3)
      .or(R0, 1)
      .and(R0, 255)
      .xor(R0, R3)
      .lsh(R0, 32)
      .rsh(R0, R2)
      .arsh(R0, 7)
      .neg(R2)
      .alu32("mov", R1, R2)
      .alu32("add", R1, 5)
      .alu32("rsh", R1, R3)
      .bigEndian(R1, 16)
      .bigEndian(R1, 64)
      .load("u8", R1, R2)
      .load("u16", R1, R2, 2)
      .load("u32", R1, FP, -4)
      .load("u64", R1, FP, -8)
      .store("u8", FP, -1, R1)
      .store("u16", FP, -2, R1)
      .store("u32", FP, -4, R1)
      .store("u64", FP, -8, R1)
      .atomic("add", "u64", R1, 0, R2)
      .atomic("add", "u32", R1, 8, R2)
      .loadImmediate64(R1, 0x1122334455667788n)
      .loadImmediate64(R1, -1n)
      .label("again")
      .jumpIf(R1, "==", 0, "end")
      .jumpIf(R1, "!=", R2, "again")
      .jumpIf(R1, ">", 1, "end")
      .jumpIf(R1, "s<=", R2, "end")
      .jumpIf32(R1, "<", 1, "end")
      .jumpIf32(R1, "s>=", R2, "again")
      .jump("end")
      .call("map_lookup_elem")
      .label("end")
      .exit()
      .build();
    const theirs = assembledByClang(`
      r6 = r1
      r1 = -5
      r1 += r2
      r1 += 0x7fffffff
      r2 -= 1
      r3 *= r1
      r3 /= 3
      r0 |= 1
      r0 &= 255
      r0 ^= r3
      r0 <<= 32
      r0 >>= r2
      r0 s>>= 7
      r2 = -r2
      w1 = w2
      w1 += 5
      w1 >>= w3
      r1 = be16 r1
      r1 = be64 r1
      r1 = *(u8 *)(r2 + 0)
      r1 = *(u16 *)(r2 + 2)
      r1 = *(u32 *)(r10 - 4)
      r1 = *(u64 *)(r10 - 8)
      *(u8 *)(r10 - 1) = r1
      *(u16 *)(r10 - 2) = r1
      *(u32 *)(r10 - 4) = r1
      *(u64 *)(r10 - 8) = r1
      lock *(u64 *)(r1 + 0) += r2
      lock *(u32 *)(r1 + 8) += r2
      r1 = 0x1122334455667788 ll
      r1 = 0xffffffffffffffff ll
      if r1 == 0 goto +7
      if r1 != r2 goto -2
      if r1 > 1 goto +5
      if r1 s<= r2 goto +4
      if w1 < 1 goto +3
      if w1 s>= w2 goto -6
      goto +1
      call 1
      exit
    `);
    expect(lines(ours)).toEqual(lines(theirs));
  });

  it("counts loads of 64 bits twice and writes parts in place", () => {
    const zero = (assembler: Assembler) => {
      const done = assembler.freshLabel("zero");
      assembler.jumpIf(R0, "==", 0, done).mov(R0, 0).label(done);
    };
    const assembler = new Assembler().loadImmediate64(R0, 7n).part(zero).part(zero).exit();
    expect(assembler.length).toBe(7);
    expect(lines(assembler.build())[2]).toBe("1500010000000000");
  });

  it.each<[string, (assembler: Assembler) => Assembler, string]>([
    ["a number that needs more than 32 bits", (a) => a.mov(R0, 2 ** 31), "2147483648 is no whole"],
    ["a fraction", (a) => a.add(R0, 0.5), "0.5 is no whole number"],
    ["an offset that is too far", (a) => a.load("u8", R0, R1, 40_000), "offset 40000"],
    ["a write to the frame pointer", (a) => a.add(FP, 8), "frame pointer"],
    ["a helper that nobody has", (a) => a.call("read_minds"), "no helper read_minds"],
    ["a label twice", (a) => a.label("a").label("a"), "label a stands at two places"],
    ["a label nowhere", (a) => a.jump("b").exit(), "label b stands nowhere"],
    ["a label behind the end", (a) => a.jump("c").label("c"), "behind the last"],
    ["a byte that is none", (a) => a.store("u8", FP, -1, 256), "256 is no whole number"],
    ["65 bits", (a) => a.loadImmediate64(R0, 1n << 64n), "does not fit into 64 bits"],
  ])("refuses %s", (_, write, message) => {
    expect(() => write(new Assembler()).build()).toThrow(message);
  });

  it("refuses a jump over more than 32,767 instructions", () => {
    const assembler = new Assembler().jump("far");
    for (let i = 0; i < 33_000; i++) assembler.mov(R0, 0);
    expect(() => assembler.label("far").exit().build()).toThrow("too far to jump");
  });
});
