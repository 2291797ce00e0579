import { describe, expect, it } from "vitest";
import {
  closeFd,
  type MapInfo,
  mapCreate,
  mapInfo,
  pageSize,
  possibleCpus,
} from "#dist/kernel/index.js";
import { creationBtf } from "#dist/maps/btf-blob.js";
import { CapabilityTable } from "#dist/maps/capability-table.js";
import { CreateFlag, type MapSpec } from "#dist/maps/map-spec.js";
import { MapType } from "#dist/maps/map-type.js";
import { compareSpec } from "#dist/maps/spec-compare.js";
import { factsOf } from "#dist/maps/type-facts.js";

const table = CapabilityTable.probe();
const context = { possibleCpus: possibleCpus(), pageSize: pageSize() };

const HASH: MapSpec = {
  type: MapType.HASH,
  name: "test",
  keySize: 4,
  valueSize: 8,
  maxEntries: 10,
  flags: 0,
  mapExtra: 0n,
  numaNode: 0,
  ifindex: 0,
  btfVmlinuxValueTypeId: 0,
};

/** Flags that only concern an fd, which specs cannot have. */
const OF_FDS = CreateFlag.RDONLY | CreateFlag.WRONLY;

const creatable = table
  .all()
  .filter(({ type, availability }) => availability === "available" && type !== MapType.STRUCT_OPS);

describe("a map is as its own spec asks", () => {
  it.each(creatable.map(({ name, type }) => [name, type] as const))(
    "for type %s, with each of its flags and a number of entries that is no round one",
    (_, type) => {
      const createFlags = table.of(type)?.createFlags ?? 0;
      const flags = Object.values(CreateFlag).filter((flag) => flag & createFlags & ~OF_FDS);
      for (const flag of [0, ...flags]) {
        const spec = specOf(type, flag);
        expect([flag, compareSpec(spec, made(spec), context)]).toEqual([flag, []]);
      }
    },
  );

  it("whatever its name", () => {
    expect(compareSpec({ ...HASH, name: "other" }, made(HASH), context)).toEqual([]);
  });

  it("where the kernel rounds max_entries up to the CPUs, and asks for the rounded number too", () => {
    const spec = {
      ...HASH,
      type: MapType.LRU_HASH,
      flags: CreateFlag.NO_COMMON_LRU,
      maxEntries: 3,
    };
    const info = made(spec);
    expect(compareSpec(spec, info, context)).toEqual([]);
    expect(compareSpec({ ...spec, maxEntries: info.maxEntries }, info, context)).toEqual([]);
    const more = { ...spec, maxEntries: info.maxEntries + 1 };
    expect(fieldsOf(more, info)).toEqual(["spec.max_entries"]);
  });
});

describe("a map is not as another spec asks", () => {
  const info = made(HASH);

  it.each<[string, Partial<MapSpec>]>([
    ["type", { type: MapType.ARRAY }],
    ["key_size", { keySize: 5 }],
    ["value_size", { valueSize: 7 }],
    ["max_entries", { maxEntries: 11 }],
    ["flags", { flags: CreateFlag.NO_PREALLOC }],
    ["map_extra", { mapExtra: 1n }],
    ["ifindex", { ifindex: 2 }],
    ["btf_vmlinux_value_type_id", { btfVmlinuxValueTypeId: 9 }],
  ])("that differs in %s alone", (field, change) => {
    expect(fieldsOf({ ...HASH, ...change }, info)).toEqual([`spec.${field}`]);
  });

  it("and both sides of each difference are told", () => {
    const spec = { ...HASH, type: MapType.ARRAY, maxEntries: 11, flags: CreateFlag.MMAPABLE };
    expect(compareSpec(spec, info, context, "template")).toEqual([
      { field: "template.type", description: "array asked for, the map has hash" },
      { field: "template.max_entries", description: "11 asked for, the map has 10" },
      { field: "template.flags", description: "MMAPABLE asked for, the map has none" },
    ]);
  });

  it("where the flags that the kernel adds to a devmap are all that they share", () => {
    const devmap = specOf(MapType.DEVMAP, 0);
    const flags = CreateFlag.NUMA_NODE;
    expect(fieldsOf({ ...devmap, flags }, made(devmap))).toEqual(["spec.flags"]);
  });
});

function fieldsOf(spec: MapSpec, info: MapInfo): string[] {
  return compareSpec(spec, info, context).map(({ field }) => field);
}

function specOf(type: MapType, flag: number): MapSpec {
  const facts = factsOf(type);
  if (!facts) throw new Error(`no facts of type ${type}`);
  return {
    ...HASH,
    type,
    keySize: facts.keySize.always,
    valueSize: flag === CreateFlag.STACK_BUILD_ID ? 32 : facts.valueSize.always,
    maxEntries: { any: 7, zero: 0, one: 1, ring: 4 * context.pageSize, pages: 3, cpus: 1 }[
      facts.maxEntries
    ],
    flags: facts.requiredFlags | flag,
    mapExtra: facts.mapExtra === "hashes" ? 3n : 0n,
    ...(facts.hasInnerMap && { innerMapSpec: HASH }),
  };
}

/** What the kernel says of a map made from a spec. */
function made(spec: MapSpec): MapInfo {
  const { btfFd, ...types } = creationBtf(spec);
  const innerMapFd = spec.innerMapSpec && mapCreate(spec.innerMapSpec);
  const fds = [btfFd, innerMapFd];
  try {
    const fd = mapCreate({ ...spec, ...types, ...(btfFd !== undefined && { btfFd }), innerMapFd });
    fds.push(fd);
    return mapInfo(fd);
  } finally {
    for (const fd of fds) if (fd !== undefined) closeFd(fd);
  }
}
