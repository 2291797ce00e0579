import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { CapabilityTable } from "#dist/maps/capability-table.js";
import { MapType } from "#dist/maps/map-type.js";
import { mustBpftool } from "../../cli/support/bpftool.js";

let table: CapabilityTable;

beforeAll(() => {
  table = CapabilityTable.probe();
  console.log(
    table
      .all()
      .map((type) => `${type.name}: ${type.availability} ${type.operations.join(" ")}`)
      .join("\n"),
  );
});

test("the types that the kernel's BTF names are available, and no others", () => {
  // Debian's kernels are built with everything that a map type depends on.
  const btf = readFileSync("/sys/kernel/btf/vmlinux");
  const named = Object.keys(MapType).filter((name) => btf.includes(`\0BPF_MAP_TYPE_${name}\0`));
  const available = Object.entries(MapType)
    .filter(([, type]) => table.of(type)?.availability === "available")
    .map(([name]) => name);
  expect(available).toEqual(named);
});

test("bpftool finds the same types", () => {
  const found: Record<string, boolean> = JSON.parse(
    mustBpftool("-j", "feature", "probe", "kernel"),
  ).map_types;
  const compared = table.all().filter(({ name }) => `have_${name}_map_type` in found);
  expect(compared.length).toBeGreaterThan(25);
  for (const { name, availability } of compared) {
    expect([name, availability === "available"]).toEqual([name, found[`have_${name}_map_type`]]);
  }
});
