import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Btf, readKernelBtf, resolveBtfType, sizeOfBtfType } from "#dist/kernel/index.js";
import { bpftoolBtf, inBpftoolWords } from "./support/bpftool-btf.js";

const VMLINUX = "/sys/kernel/btf/vmlinux";

describe("BTF of the running kernel", () => {
  const btf = readKernelBtf() as Btf;

  it("reads every type as bpftool does", () => {
    const theirs = bpftoolBtf(["file", VMLINUX]);
    expect(btf.endId - 1).toBe(theirs.length);
    for (const type of theirs) {
      const id = type.id as number;
      // One comparison for each of the types would take vitest a minute.
      const ours = JSON.stringify(inBpftoolWords(id, btf.type(id)));
      if (ours !== JSON.stringify(type)) expect(JSON.parse(ours)).toEqual(type);
    }
  });

  it("finds a function, a struct and nothing by name", () => {
    const id = btf.findOne("htab_map_update_elem", "func");
    expect(btf.type(id)).toMatchObject({ kind: "func", name: "htab_map_update_elem" });
    expect(btf.kind(id)).toBe("func");
    expect(btf.find("task_struct", "struct")).toHaveLength(1);
    expect(btf.find("task_struct", "union")).toEqual([]);
    expect(btf.find("no_such_type_in_any_kernel")).toEqual([]);
    expect(() => btf.findOne("no_such_type", "struct")).toThrow("no struct named no_such_type");
  });

  it("finds every name under all its ids", () => {
    const byName = new Map<string, number[]>();
    for (let id = 1; id < btf.endId; id++) {
      const type = btf.type(id);
      if (!("name" in type) || type.name === "") continue;
      byName.set(type.name, [...(byName.get(type.name) ?? []), id]);
    }
    const names = [...byName].filter((_, index) => index % 503 === 0);
    expect(names.length).toBeGreaterThan(100);
    for (const [name, ids] of names) expect(btf.find(name), name).toEqual(ids);
  });

  it("tells sizes through typedefs, qualifiers and arrays", () => {
    const info = btf.findOne("bpf_map", "struct");
    expect(sizeOfBtfType(btf, info)).toBe((btf.type(info) as { size: number }).size);
    const [u64] = btf.find("u64", "typedef");
    expect(sizeOfBtfType(btf, u64 as number)).toBe(8);
    expect(resolveBtfType(btf, u64 as number)).toMatchObject({ kind: "int", size: 8 });
    expect(() => sizeOfBtfType(btf, 0)).toThrow("has no size");
  });
});

describe("bytes that are no BTF", () => {
  const good = readFileSync(VMLINUX).subarray(0, 64);

  it.each([
    ["nothing", Buffer.alloc(0), "too few"],
    ["another format", Buffer.alloc(64, "ELF"), "magic number"],
    ["the other byte order", Buffer.from(good).swap16(), "byte order"],
    ["a blob cut short", good, "reaches over the end"],
  ])("are refused: %s", (_, bytes, message) => {
    expect(() => Btf.parse(bytes)).toThrow(message);
  });
});
