import { status } from "@bpfmapd/client";
import { CreateFlag, MapType } from "@bpfmapd/client/proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type BadCall,
  invalid,
  invalidField,
  refusal,
  Stage,
  titled,
} from "./support/bad-input.js";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.set();
});
afterAll(() => stage?.dispose());

/** A hash map that is as it should be. */
const GOOD = { type: MapType.HASH, name: "new", keySize: 4, valueSize: 8, maxEntries: 4 };
const RING = { ...GOOD, type: MapType.RINGBUF, keySize: 0, valueSize: 0 };
const ARRAY = { ...GOOD, type: MapType.ARRAY };
const TRIE = { ...GOOD, type: MapType.LPM_TRIE, keySize: 8, flags: CreateFlag.NO_PREALLOC };
const PERCPU = { ...GOOD, type: MapType.PERCPU_HASH };
const QUEUE = { ...GOOD, type: MapType.QUEUE, keySize: 0 };

const create =
  (spec: object, more: object = {}) =>
  (s: Stage) =>
    s.client.maps.createMap({ spec, hold: { name: "new" }, ...more });

const wrong = (field: string) => invalid("SPEC_INVALID", `spec.${field}`);
const unknownFlag = invalid("UNKNOWN_FLAG", "spec.flags");
const unimplemented = (reason: string, field: string) =>
  refusal(status.UNIMPLEMENTED, reason, field);

describe("CreateMap", () => {
  const calls: BadCall[] = [
    ["no spec", (s) => s.client.maps.createMap({ hold: { name: "new" } }), invalidField("spec")],
    ["type UNSPECIFIED", create({ ...GOOD, type: 0 }), invalidField("spec.type")],
    [
      "a type of no kernel",
      create({ ...GOOD, type: 4000 }),
      unimplemented("UNKNOWN_MAP_TYPE", "spec.type"),
    ],
    [
      "a negative type",
      create({ ...GOOD, type: -1 }),
      unimplemented("UNKNOWN_MAP_TYPE", "spec.type"),
    ],
    [
      "a name of 16 characters",
      create({ ...GOOD, name: "a234567890123456" }),
      invalidField("spec.name"),
    ],
    ["a name with a dash", create({ ...GOOD, name: "a-b" }), invalidField("spec.name")],
    ["a name with a line break", create({ ...GOOD, name: "a\n" }), invalidField("spec.name")],
    ["no key", create({ ...GOOD, keySize: 0 }), wrong("key_size")],
    ["no value", create({ ...GOOD, valueSize: 0 }), wrong("value_size")],
    ["no entries", create({ ...GOOD, maxEntries: 0 }), wrong("max_entries")],
    ["4,294,967,295 entries", create({ ...GOOD, maxEntries: 0xffffffff }), wrong("max_entries")],
    [
      "more entries than the kernel has memory for",
      create({ ...ARRAY, valueSize: 1 << 30, maxEntries: 0x7fffffff }),
      refusal(status.RESOURCE_EXHAUSTED, "KERNEL_MEMORY", "spec.max_entries"),
    ],
    ["a key of 4 GiB", create({ ...GOOD, keySize: 0xffffffff }), wrong("key_size")],
    ["a value of 4 GiB", create({ ...GOOD, valueSize: 0xffffffff }), wrong("value_size")],
    [
      "key and value too large together",
      create({ ...GOOD, keySize: 3 << 20, valueSize: 2 << 20 }),
      wrong("value_size"),
    ],
    ["an array with keys of 8 bytes", create({ ...ARRAY, keySize: 8 }), wrong("key_size")],
    [
      "a per-CPU value of 32,769 bytes",
      create({ ...PERCPU, valueSize: 32769 }),
      wrong("value_size"),
    ],
    ["a trie with keys of 4 bytes", create({ ...TRIE, keySize: 4 }), wrong("key_size")],
    ["a trie with keys of 261 bytes", create({ ...TRIE, keySize: 261 }), wrong("key_size")],
    ["a trie without NO_PREALLOC", create({ ...TRIE, flags: 0 }), wrong("flags")],
    ["a queue with keys", create({ ...QUEUE, keySize: 4 }), wrong("key_size")],
    [
      "a stack trace map with values of 12 bytes",
      create({ ...GOOD, type: MapType.STACK_TRACE, valueSize: 12 }),
      wrong("value_size"),
    ],
    ["a ring of three pages", create({ ...RING, maxEntries: 3 * 4096 }), wrong("max_entries")],
    ["a ring of 100 bytes", create({ ...RING, maxEntries: 100 }), wrong("max_entries")],
    [
      "local storage with entries",
      create({ ...GOOD, type: MapType.SK_STORAGE, flags: 1, maxEntries: 1 }),
      wrong("max_entries"),
    ],
    ["a flag that does not exist", create({ ...GOOD, flags: 1 << 25 }), unknownFlag],
    ["the topmost bit as a flag", create({ ...GOOD, flags: 0x80000000 }), unknownFlag],
    ["RDONLY", create({ ...GOOD, flags: CreateFlag.RDONLY }), unknownFlag],
    ["WRONLY", create({ ...GOOD, flags: CreateFlag.WRONLY }), unknownFlag],
    ["PATH_FD", create({ ...GOOD, flags: CreateFlag.PATH_FD }), unknownFlag],
    ["TOKEN_FD", create({ ...GOOD, flags: CreateFlag.TOKEN_FD }), unknownFlag],
    ["a flag of another type", create({ ...GOOD, flags: CreateFlag.MMAPABLE }), unknownFlag],
    ["RDONLY_PROG with WRONLY_PROG", create({ ...GOOD, flags: 128 | 256 }), wrong("flags")],
    ["a NUMA node without its flag", create({ ...GOOD, numaNode: 1 }), wrong("numa_node")],
    [
      "a NUMA node that is not there",
      create({ ...GOOD, flags: CreateFlag.NUMA_NODE, numaNode: 900 }),
      wrong("numa_node"),
    ],
    ["map_extra of a hash", create({ ...GOOD, mapExtra: 1n }), wrong("map_extra")],
    [
      "16 hash functions",
      create({ ...QUEUE, type: MapType.BLOOM_FILTER, mapExtra: 16n }),
      wrong("map_extra"),
    ],
    ["an offloaded trie", create({ ...TRIE, ifindex: 1 }), wrong("ifindex")],
    ["offloading to no device", create({ ...GOOD, ifindex: 0x7ffffff }), wrong("ifindex")],
    [
      "a value type of struct_ops for a hash",
      create({ ...GOOD, btfVmlinuxValueTypeId: 1 }),
      wrong("btf_vmlinux_value_type_id"),
    ],
    [
      "struct_ops without a value type",
      create({ ...GOOD, type: MapType.STRUCT_OPS, maxEntries: 1 }),
      wrong("btf_vmlinux_value_type_id"),
    ],
    [
      "struct_ops with a value type that is none",
      create({ ...GOOD, type: MapType.STRUCT_OPS, maxEntries: 1, btfVmlinuxValueTypeId: 1 }),
      wrong("btf_vmlinux_value_type_id"),
    ],
    [
      "a template at fault",
      create({
        ...ARRAY,
        type: MapType.ARRAY_OF_MAPS,
        valueSize: 4,
        innerMapSpec: { ...GOOD, keySize: 0 },
      }),
      wrong("inner_map_spec.key_size"),
    ],
    [
      "a template that has maps itself",
      create({
        ...ARRAY,
        type: MapType.ARRAY_OF_MAPS,
        valueSize: 4,
        innerMapSpec: { ...ARRAY, type: MapType.ARRAY_OF_MAPS },
      }),
      wrong("inner_map_spec.type"),
    ],
    [
      "a template that is not there",
      create({
        ...ARRAY,
        type: MapType.ARRAY_OF_MAPS,
        valueSize: 4,
        innerMap: { ref: { case: "id", value: 0xfffffffe } },
      }),
      refusal(status.NOT_FOUND, "MAP_NOT_FOUND"),
    ],
  ];
  it.each(titled(calls))("refuses %s", (_, call) => stage.expectRefused(call));

  it("tells all that is wrong with a spec at once", async () => {
    const spec = { ...GOOD, keySize: 0, valueSize: 0, maxEntries: 0, mapExtra: 5n };
    const error = await create(spec)(stage).catch((thrown) => thrown);
    expect(error.violations.map(({ field }: { field: string }) => field)).toEqual([
      "spec.key_size",
      "spec.value_size",
      "spec.max_entries",
      "spec.map_extra",
    ]);
  });
});

describe("CreateMap with initial elements", () => {
  const elements = (count: number, keys: number, values: number) => ({
    initialElements: { count, keys: Buffer.alloc(keys), values: Buffer.alloc(values) },
  });
  const many = (count: number) => ({
    initialElements: {
      count,
      keys: Buffer.from(Array.from({ length: count * 4 }, (_, at) => at)),
      values: Buffer.alloc(count * 8),
    },
  });
  const calls: BadCall[] = [
    [
      "a key too short",
      create(GOOD, elements(1, 3, 8)),
      invalid("KEY_SIZE_MISMATCH", "initial_elements.keys"),
    ],
    [
      "one key as long as two",
      create(GOOD, elements(1, 8, 8)),
      invalid("KEY_SIZE_MISMATCH", "initial_elements.keys"),
    ],
    [
      "a value too long",
      create(GOOD, elements(1, 4, 9)),
      invalid("VALUE_SIZE_MISMATCH", "initial_elements.values"),
    ],
    [
      "a count of zero",
      create(GOOD, elements(0, 4, 8)),
      invalid("KEY_SIZE_MISMATCH", "initial_elements.keys"),
    ],
    [
      "an index at max_entries",
      create(ARRAY, {
        initialElements: { count: 1, keys: Buffer.from([4, 0, 0, 0]), values: Buffer.alloc(8) },
      }),
      invalid("KEY_OUT_OF_RANGE", "initial_elements.keys"),
    ],
    [
      "more than it has room for",
      create(GOOD, many(5)),
      refusal(status.RESOURCE_EXHAUSTED, "MAP_FULL"),
    ],
    [
      "more than a pinned map has room for",
      (s) => create(GOOD, { ...many(5), hold: undefined, pinPath: s.path("new") })(s),
      refusal(status.RESOURCE_EXHAUSTED, "MAP_FULL"),
    ],
    [
      "a queue",
      create(QUEUE, elements(1, 0, 8)),
      refusal(status.UNIMPLEMENTED, "OPERATION_NOT_SUPPORTED"),
    ],
    [
      "a ring buffer",
      create({ ...RING, maxEntries: 4096 }, elements(1, 0, 8)),
      refusal(status.UNIMPLEMENTED, "OPERATION_NOT_SUPPORTED"),
    ],
    [
      "bytes for programs",
      create({ ...ARRAY, type: MapType.PROG_ARRAY, valueSize: 4 }, elements(1, 4, 4)),
      invalidField("initial_elements.values"),
    ],
  ];
  it.each(titled(calls))("refuses %s, and leaves no map", (_, call) => stage.expectRefused(call));
});
