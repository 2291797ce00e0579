import { describe, expect, it } from "vitest";
import {
  closeFd,
  KernelError,
  type MapCreation,
  mapCreate,
  pageSize,
  possibleCpus,
} from "#dist/kernel/index.js";
import { CapabilityTable } from "#dist/maps/capability-table.js";
import { MapError } from "#dist/maps/map-error.js";
import { CreateFlag, type MapSpec } from "#dist/maps/map-spec.js";
import { MapType } from "#dist/maps/map-type.js";
import { checkSpec, explainCreateFailure } from "#dist/maps/spec-check.js";

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

const ARRAY: MapSpec = { ...HASH, type: MapType.ARRAY };
const MAPS: MapSpec = { ...HASH, type: MapType.HASH_OF_MAPS, valueSize: 4, innerMapSpec: ARRAY };
const ARENA: MapSpec = {
  ...HASH,
  type: MapType.ARENA,
  keySize: 0,
  valueSize: 0,
  flags: CreateFlag.MMAPABLE,
};

describe("checkSpec", () => {
  it("says nothing to what the kernel takes", () => {
    for (const spec of [HASH, ARRAY, MAPS, ARENA]) {
      expect(() => checkSpec(spec, table, context)).not.toThrow();
    }
  });

  it("names all fields at fault at once, each with what is given and wanted", () => {
    const error = refusal({ ...ARRAY, keySize: 3, valueSize: 0, maxEntries: 0, name: "not-ok" });
    expect(error.reason).toBe("SPEC_INVALID");
    expect(error.violations).toEqual([
      { field: "spec.key_size", description: "3 given, 4 wanted for array maps" },
      {
        field: "spec.value_size",
        description: "0 given, 1 to 2147483647 wanted for array maps",
      },
      { field: "spec.max_entries", description: "0 given, at least 1 wanted for array maps" },
      {
        field: "spec.name",
        description:
          '"not-ok" given; a name has at most 15 characters of A-Z, a-z, 0-9, "_" and "."',
      },
    ]);
    for (const { field, description } of error.violations) {
      expect(error.message).toContain(`${field}: ${description}`);
    }
  });

  it("answers UNKNOWN_MAP_TYPE to types that nobody knows", () => {
    const error = refusal({ ...HASH, type: 999 });
    expect(error.reason).toBe("UNKNOWN_MAP_TYPE");
    expect(error.violations[0]?.field).toBe("spec.type");
  });

  it("answers UNKNOWN_MAP_TYPE to types that this kernel does not have", () => {
    const without = table
      .all()
      .map((type) =>
        type.type === MapType.HASH ? { ...type, availability: "unavailable" as const } : type,
      );
    const error = caught(() => checkSpec(HASH, new CapabilityTable(without), context));
    expect(error.reason).toBe("UNKNOWN_MAP_TYPE");
    expect(error.message).toBe("spec.type: this kernel does not have maps of type hash");
  });

  it("leaves to the kernel what it cannot know of a type that was denied", () => {
    const denied = table.all().map((type) => ({
      ...type,
      availability: "denied" as const,
      createFlags: 0,
    }));
    const flags = CreateFlag.NO_PREALLOC;
    expect(() => checkSpec({ ...HASH, flags }, new CapabilityTable(denied), context)).not.toThrow();
  });

  it.each([
    ["bits that are no flag", 1 << 25, "0x2000000 is not a create flag"],
    ["the highest bit", 2 ** 31, "0x80000000 is not a create flag"],
    ["RDONLY", CreateFlag.RDONLY, "RDONLY concerns one file descriptor only"],
    ["WRONLY", CreateFlag.WRONLY, "WRONLY concerns one file descriptor only"],
    ["PATH_FD", CreateFlag.PATH_FD, "PATH_FD concerns pinning only"],
    ["TOKEN_FD", CreateFlag.TOKEN_FD, "TOKEN_FD needs a token"],
    ["VTYPE_BTF_OBJ_FD", CreateFlag.VTYPE_BTF_OBJ_FD, "VTYPE_BTF_OBJ_FD needs the BTF of a module"],
    [
      "a flag of another type",
      CreateFlag.STACK_BUILD_ID,
      "this kernel does not accept STACK_BUILD_ID for hash maps",
    ],
  ])("answers UNKNOWN_FLAG to %s", (_, flags, text) => {
    const error = refusal({ ...HASH, flags });
    expect(error.reason).toBe("UNKNOWN_FLAG");
    expect(error.violations).toHaveLength(1);
    expect(error.violations[0]?.field).toBe("spec.flags");
    expect(error.violations[0]?.description).toContain(text);
  });

  it.each<[string, MapSpec, string, string]>([
    [
      "a trie without NO_PREALLOC",
      { ...HASH, type: MapType.LPM_TRIE, keySize: 8 },
      "spec.flags",
      "need NO_PREALLOC",
    ],
    [
      "flags that exclude each other",
      { ...HASH, flags: CreateFlag.RDONLY_PROG | CreateFlag.WRONLY_PROG },
      "spec.flags",
      "RDONLY_PROG|WRONLY_PROG exclude each other",
    ],
    [
      "a key of a queue",
      { ...HASH, type: MapType.QUEUE, keySize: 4 },
      "spec.key_size",
      "4 given, 0 wanted",
    ],
    [
      "stack traces of half a frame",
      { ...HASH, type: MapType.STACK_TRACE, valueSize: 12 },
      "spec.value_size",
      "in steps of 8",
    ],
    [
      "stack traces with build ids of half a frame",
      { ...HASH, type: MapType.STACK_TRACE, valueSize: 40, flags: CreateFlag.STACK_BUILD_ID },
      "spec.value_size",
      "in steps of 32",
    ],
    [
      "a ring of three pages",
      {
        ...HASH,
        type: MapType.RINGBUF,
        keySize: 0,
        valueSize: 0,
        maxEntries: 3 * context.pageSize,
      },
      "spec.max_entries",
      "a power of two",
    ],
    [
      "an arena of more than 4 GiB",
      { ...ARENA, maxEntries: 2 ** 32 / context.pageSize + 1 },
      "spec.max_entries",
      "pages",
    ],
    [
      "an arena at half a page",
      { ...ARENA, mapExtra: 100n },
      "spec.map_extra",
      "0x64 given; it is an address of a whole page",
    ],
    [
      "an arena across 4 GiB",
      { ...ARENA, mapExtra: 2n ** 32n - BigInt(context.pageSize) },
      "spec.map_extra",
      "boundary of 4 GiB",
    ],
    [
      "a bloom filter with 16 hash functions",
      { ...HASH, type: MapType.BLOOM_FILTER, keySize: 0, mapExtra: 16n },
      "spec.map_extra",
      "0 to 15",
    ],
    ["map_extra of a hash", { ...HASH, mapExtra: 1n }, "spec.map_extra", "must be 0"],
    [
      "entries of cgroup storage",
      { ...HASH, type: MapType.CGROUP_STORAGE, keySize: 8 },
      "spec.max_entries",
      "10 given, 0 wanted",
    ],
    [
      "more CPUs than the kernel can have",
      { ...HASH, type: MapType.CPUMAP, maxEntries: 1 << 20 },
      "spec.max_entries",
      "the CPUs that this kernel can have",
    ],
    ["a NUMA node without the flag", { ...HASH, numaNode: 1 }, "spec.numa_node", "lack NUMA_NODE"],
    [
      "offload of a queue",
      { ...HASH, type: MapType.QUEUE, keySize: 0, ifindex: 1 },
      "spec.ifindex",
      "only hash and array maps",
    ],
    [
      "a kernel type for a hash",
      { ...HASH, btfVmlinuxValueTypeId: 7 },
      "spec.btf_vmlinux_value_type_id",
      "only struct_ops",
    ],
    [
      "struct_ops without a type",
      { ...HASH, type: MapType.STRUCT_OPS, maxEntries: 1 },
      "spec.btf_vmlinux_value_type_id",
      "missing",
    ],
    [
      "an inner map of a hash",
      { ...HASH, innerMap: { by: "id", id: 1 } },
      "spec.inner_map",
      "hash maps have no inner maps",
    ],
    ["no template", { ...MAPS, innerMapSpec: undefined }, "spec.inner_map_spec", "neither given"],
    [
      "two templates",
      { ...MAPS, innerMap: { by: "id", id: 1 } },
      "spec.inner_map_spec",
      "both given",
    ],
    [
      "maps of maps of maps",
      { ...MAPS, innerMapSpec: MAPS },
      "spec.inner_map_spec.type",
      "cannot have inner maps itself",
    ],
    [
      "a bad template",
      { ...MAPS, innerMapSpec: { ...ARRAY, keySize: 8 } },
      "spec.inner_map_spec.key_size",
      "8 given, 4 wanted for array maps",
    ],
  ])("answers SPEC_INVALID to %s", (_, spec, field, text) => {
    const error = refusal(spec);
    expect(error.reason).toBe("SPEC_INVALID");
    expect(error.violations.map((violation) => violation.field)).toEqual([field]);
    expect(error.violations[0]?.description).toContain(text);
  });

  it("limits key and value of a hash together", () => {
    const most = table.of(MapType.HASH)?.maxKeySize ?? 0;
    const error = refusal({ ...HASH, keySize: most - 10, valueSize: 100 });
    expect(error.violations).toEqual([
      {
        field: "spec.value_size",
        description: `100 given, ${most + 90} together with key_size; this kernel takes ${most + 1} for hash maps`,
      },
    ]);
  });

  it("names fields below the path that it is given", () => {
    const error = caught(() => checkSpec({ ...HASH, keySize: 0 }, table, context, "template"));
    expect(error.violations[0]?.field).toBe("template.key_size");
  });
});

describe("what the kernel still refuses", () => {
  it("is SPEC_INVALID of max_entries where a hash is too large for its buckets", () => {
    const error = failure({ ...HASH, maxEntries: 0xffffffff, flags: CreateFlag.NO_PREALLOC });
    expect(error.reason).toBe("SPEC_INVALID");
    expect(error.violations.map(({ field }) => field)).toEqual(["spec.max_entries"]);
    expect(error.message).toContain("4294967295 given, more than this kernel takes");
    expect(error.metadata).toMatchObject({ operation: "create", errno: "E2BIG" });
  });

  it("is KERNEL_MEMORY where an array is larger than the host", () => {
    const error = failure({ ...ARRAY, valueSize: 1 << 20, maxEntries: 0xffffffff });
    expect(error.reason).toBe("KERNEL_MEMORY");
    expect(error.violations.map(({ field }) => field)).toEqual(["spec.max_entries"]);
  });

  it("is SPEC_INVALID of numa_node where there is no such node", () => {
    const error = failure({ ...HASH, flags: CreateFlag.NUMA_NODE, numaNode: 999_999 });
    expect(error.reason).toBe("SPEC_INVALID");
    expect(error.violations.map(({ field }) => field)).toEqual(["spec.numa_node"]);
  });

  it("is SPEC_INVALID of ifindex where no map can be offloaded to the device", () => {
    const error = failure({ ...HASH, ifindex: 1 });
    expect(error.reason).toBe("SPEC_INVALID");
    expect(error.violations.map(({ field }) => field)).toEqual(["spec.ifindex"]);
  });

  it("is SPEC_INVALID of the value type where it is no struct_ops", () => {
    const spec = { ...HASH, type: MapType.STRUCT_OPS, maxEntries: 1, btfVmlinuxValueTypeId: 1 };
    const error = failure(spec);
    expect(error.reason).toBe("SPEC_INVALID");
    expect(error.violations.map(({ field }) => field)).toEqual(["spec.btf_vmlinux_value_type_id"]);
  });

  it("is SPEC_INVALID of the template where its type cannot be an inner map", () => {
    const innerMapSpec = { ...ARRAY, type: MapType.PROG_ARRAY, valueSize: 4 };
    const innerMapFd = mapCreate(innerMapSpec);
    try {
      const error = failure({ ...MAPS, innerMapSpec }, { innerMapFd });
      expect(error.reason).toBe("SPEC_INVALID");
      expect(error.violations.map(({ field }) => field)).toEqual(["spec.inner_map_spec"]);
    } finally {
      closeFd(innerMapFd);
    }
  });

  it.each([
    ["EPERM", "KERNEL_DENIED"],
    ["EMFILE", "FILE_DESCRIPTORS"],
    ["ENFILE", "FILE_DESCRIPTORS"],
    ["EOPNOTSUPP", "OPERATION_NOT_SUPPORTED"],
    ["EINVAL", "SPEC_INVALID"],
    ["EXDEV", "KERNEL_ERROR"],
  ])("is, where it answers %s, %s", (errno, reason) => {
    const cause = new KernelError(errno, "BPF_MAP_CREATE");
    const error = explainCreateFailure(cause, HASH, table, "spec");
    expect(error.reason).toBe(reason);
    expect(error.metadata.errno).toBe(errno);
    expect(error.cause).toBe(cause);
    expect(error.message).toMatch(/^cannot create the hash map of spec: /);
  });
});

/** The error of checkSpec, which the test expects. */
function refusal(spec: MapSpec): MapError {
  return caught(() => checkSpec(spec, table, context));
}

/** What is made of the kernel's own answer to a spec that checkSpec lets pass. */
function failure(spec: MapSpec, more: Partial<MapCreation> = {}): MapError {
  checkSpec(spec.innerMapSpec ? { ...spec, innerMapSpec: ARRAY } : spec, table, context);
  let answer: unknown;
  try {
    closeFd(mapCreate({ ...spec, ...more }));
  } catch (error) {
    answer = error;
  }
  expect(answer).toBeInstanceOf(KernelError);
  return explainCreateFailure(answer as KernelError, spec, table);
}

function caught(run: () => void): MapError {
  try {
    run();
  } catch (error) {
    if (error instanceof MapError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}
