import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { KernelSymbols } from "#dist/kernel/index.js";

function parse(...lines: string[]): KernelSymbols | undefined {
  return KernelSymbols.parse(Buffer.from(lines.map((line) => `${line}\n`).join("")));
}

describe("kernel symbols", () => {
  it("resolve every function of the running kernel", async () => {
    expect(await KernelSymbols.read()).toBeDefined();
    // One text for both: the programs of other tests come and go.
    const text = readFileSync("/proc/kallsyms");
    const symbols = KernelSymbols.parse(text) as KernelSymbols;
    const names = new Map<bigint, string[]>();
    for (const line of text.toString("latin1").split("\n")) {
      const [address = "", type = "", name = ""] = line.split(/[ \t]/);
      if (!/^[tTwW]$/.test(type)) continue;
      const at = BigInt(`0x${address}`);
      names.set(at, [...(names.get(at) ?? []), name]);
    }
    expect(names.size).toBeGreaterThan(10_000);
    for (const [address, [name]] of names) {
      const found = symbols.resolve(address);
      if (found?.name !== name || found?.offset !== 0) expect.fail(`${name}: ${found?.name}`);
    }
  });

  it("tell how far into a function an address is, and its module", () => {
    const symbols = parse(
      "ffffffff81000000 T start",
      "ffffffff81000000 T alias",
      "ffffffff81000100 t second",
      "ffffffff81000180 d data",
      "ffffffffc0000000 t in_module\t[nf_tables]",
      "ffffffff81000200 W weak",
    );
    expect(symbols?.resolve(0xffffffff80ffffffn)).toBeUndefined();
    expect(symbols?.resolve(0xffffffff81000000n)).toEqual({ name: "start", offset: 0 });
    expect(symbols?.resolve(0xffffffff810001ffn)).toEqual({ name: "second", offset: 255 });
    expect(symbols?.resolve(0xffffffff81000210n)).toEqual({ name: "weak", offset: 16 });
    expect(symbols?.resolve(0xffffffffc0000001n)).toEqual({
      name: "in_module",
      module: "nf_tables",
      offset: 1,
    });
  });

  it("are absent where the kernel hides addresses", () => {
    expect(parse("0000000000000000 T start", "0000000000000000 t second")).toBeUndefined();
    expect(parse()).toBeUndefined();
  });
});
