import {
  Availability,
  CpuFold,
  CpuTargetSchema,
  CpuViewSchema,
  DumpMapRequestSchema,
  DumpMapResponseSchema,
  ElementFilterSchema,
  ErrorReason,
  HoldSpecSchema,
  IncompleteReason,
  KeyKind,
  LoadMapRequestSchema,
  LoadMapResponseSchema,
  LoadStrategy,
  MapOperation,
  MapRefSchema,
  MapSchema,
  MapSpecSchema,
  MapTypeCapabilitiesSchema,
  Projection,
  SingleCpuWrite,
  UpdateMode,
  ValueKind,
} from "@bpfmapd/client/proto";
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import type { DumpItem, MapRecord, TypeCapabilities } from "#dist/maps/index.js";
import {
  capabilityMessage,
  unknownCapabilityMessage,
} from "#dist/rpc/messages/capability-message.js";
import { DUMP_CHUNK_OVERHEAD, DUMP_CHUNK_ROOM } from "#dist/rpc/messages/dump-frame.js";
import { dumpMessage, toDumpRequest } from "#dist/rpc/messages/dump-message.js";
import {
  failureMessages,
  toCpuTarget,
  toCpuView,
  toElementFilter,
  toUpdateMode,
} from "#dist/rpc/messages/element-message.js";
import { loadResultMessage, toLoadChunk, toLoadStart } from "#dist/rpc/messages/load-message.js";
import { mapMessage } from "#dist/rpc/messages/map-message.js";
import { toMapRef } from "#dist/rpc/messages/map-ref-message.js";
import { toHold, toMapSpec } from "#dist/rpc/messages/map-spec-message.js";

const bytes = (...values: number[]) => new Uint8Array(values);
const mapSeven = { ref: { case: "id", value: 7 } } as const;
const MIB = 1024 * 1024;

describe("a reference", () => {
  test.each([
    [
      { case: "id", value: 7 },
      { by: "id", id: 7 },
    ],
    [
      { case: "pinPath", value: "/p" },
      { by: "pinPath", pinPath: "/p" },
    ],
    [
      { case: "name", value: "n" },
      { by: "name", name: "n" },
    ],
    [
      { case: "held", value: "h" },
      { by: "held", held: "h" },
    ],
  ] as const)("%o keeps what it names and its boot", (ref, expected) => {
    expect(toMapRef(create(MapRefSchema, { ref }), undefined)).toEqual({
      ...expected,
      bootId: undefined,
    });
    expect(toMapRef(create(MapRefSchema, { ref, bootId: "b" }), undefined)).toEqual({
      ...expected,
      bootId: "b",
    });
  });

  test("that names nothing is refused with its field", () => {
    const refused = (field: string) =>
      expect.objectContaining({
        reason: "FIELD_INVALID",
        violations: [expect.objectContaining({ field })],
      });
    expect(() => toMapRef(undefined, undefined)).toThrow(refused("map"));
    expect(() => toMapRef(create(MapRefSchema), undefined, "start.map")).toThrow(
      refused("start.map"),
    );
  });
});

const record: MapRecord = {
  id: 7,
  type: 5,
  name: "seven",
  keySize: 4,
  valueSize: 6,
  valueStride: 16,
  maxEntries: 100,
  flags: 1,
  mapExtra: 2n ** 63n,
  ifindex: 2,
  btfId: 3,
  btfKeyTypeId: 4,
  btfValueTypeId: 5,
  btfVmlinuxValueTypeId: 6,
  memlockBytes: 8192,
  frozen: false,
  ownerProgType: 3,
  ownerJited: true,
  cpus: [0, 1],
  pinPaths: ["/sys/fs/bpf/seven"],
  holds: [{ name: "kept" }, { name: "leased", leaseMs: 1500, expiresAtMs: 1_700_000_000_123 }],
  holders: [{ pid: 1, comm: "init" }],
  bootId: "boot",
  programs: [{ id: 8, name: "prog", type: 6 }],
  keptObjects: 3,
  numaNode: 1,
};

describe("a map", () => {
  test("is told with every field", () => {
    const { holds, memlockBytes, $typeName, ...rest } = create(MapSchema, mapMessage(record));
    const { holds: _, memlockBytes: memlock, ...expected } = record;
    expect(rest).toMatchObject(expected as object);
    expect(memlockBytes).toBe(BigInt(memlock as number));
    expect(holds[0]?.name).toBe("kept");
    expect([holds[0]?.lease, holds[0]?.expiresAt]).toEqual([undefined, undefined]);
    expect(holds[1]?.lease).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
    expect(holds[1]?.expiresAt && timestampMs(holds[1].expiresAt)).toBe(1_700_000_000_123);
  });

  test("says nothing where the kernel says nothing", () => {
    const silent = {
      ...record,
      memlockBytes: undefined,
      frozen: undefined,
      ownerProgType: undefined,
      ownerJited: undefined,
    };
    const message = create(MapSchema, mapMessage(silent));
    for (const field of ["memlockBytes", "frozen", "ownerProgType", "ownerJited"] as const) {
      expect(message[field]).toBeUndefined();
    }
  });
});

describe("a spec", () => {
  test("keeps every field, and that of its inner map", () => {
    const init = {
      type: 13,
      name: "outer",
      keySize: 4,
      valueSize: 4,
      maxEntries: 10,
      flags: 5,
      mapExtra: 9n,
      numaNode: 1,
      ifindex: 2,
      btfVmlinuxValueTypeId: 3,
    };
    const message = create(MapSpecSchema, {
      ...init,
      innerMapSpec: { ...init, name: "inner" },
      innerMap: mapSeven,
    });
    expect(toMapSpec(message, undefined)).toEqual({
      ...init,
      innerMapSpec: { ...init, name: "inner", innerMapSpec: undefined, innerMap: undefined },
      innerMap: { by: "id", id: 7, bootId: undefined },
    });
  });

  test("of a hold keeps name and lease", () => {
    expect(toHold(create(HoldSpecSchema, { name: "h" }), undefined)).toEqual({ name: "h" });
    const leased = create(HoldSpecSchema, {
      name: "h",
      lease: { seconds: 2n, nanos: 250_000_000 },
    });
    expect(toHold(leased, undefined)).toEqual({ name: "h", leaseMs: 2250 });
  });
});

describe("elements", () => {
  test.each([
    [UpdateMode.UNSPECIFIED, "any"],
    [UpdateMode.ANY, "any"],
    [UpdateMode.NOEXIST, "noexist"],
    [UpdateMode.EXIST, "exist"],
  ])("update mode %i is %s", (mode, expected) => {
    expect(toUpdateMode(mode)).toBe(expected);
  });

  test.each([
    [{ case: "cpu", value: 0 }, { cpu: 0 }],
    [{ case: "fold", value: CpuFold.SUM_U32 }, { fold: "sum_u32" }],
    [{ case: "fold", value: CpuFold.SUM_U64 }, { fold: "sum_u64" }],
    [{ case: "fold", value: CpuFold.MAX_U32 }, { fold: "max_u32" }],
    [{ case: "fold", value: CpuFold.MAX_U64 }, { fold: "max_u64" }],
  ] as const)("CPU view %o", (view, expected) => {
    expect(toCpuView(create(CpuViewSchema, { view }))).toEqual(expected);
  });

  test("CPU targets, and none of either", () => {
    const one = create(CpuTargetSchema, { target: { case: "cpu", value: 0 } });
    const all = create(CpuTargetSchema, { target: { case: "allCpus", value: true } });
    expect([toCpuTarget(one), toCpuTarget(all)]).toEqual([{ cpu: 0 }, { allCpus: true }]);
    expect([toCpuTarget(undefined), toCpuView(undefined)]).toEqual([undefined, undefined]);
  });

  test("filters keep what is there, empty bytes too, and nothing else", () => {
    expect(toElementFilter(undefined)).toBeUndefined();
    expect(toElementFilter(create(ElementFilterSchema))).toEqual({});
    const full = create(ElementFilterSchema, {
      keyPrefix: bytes(),
      keyRange: { start: bytes(1), end: bytes(2) },
      valueMatch: { mask: bytes(3), match: bytes(4) },
    });
    expect(toElementFilter(full)).toEqual({
      keyPrefix: bytes(),
      keyRange: { start: bytes(1), end: bytes(2) },
      valueMatch: { mask: bytes(3), match: bytes(4) },
    });
    const open = create(ElementFilterSchema, { keyRange: { end: bytes(2) } });
    expect(toElementFilter(open)).toEqual({ keyRange: { end: bytes(2) } });
  });

  test("failures keep index and reason", () => {
    expect(failureMessages([{ index: 3, reason: "MAP_FULL" }])).toEqual([
      { index: 3, reason: ErrorReason.MAP_FULL },
    ]);
  });
});

describe("a dump", () => {
  test("without wishes asks for everything, in chunks of 1 MiB", () => {
    const request = create(DumpMapRequestSchema, { map: mapSeven });
    expect(toDumpRequest(request, 16 * MIB, undefined)).toEqual({
      map: { by: "id", id: 7, bootId: undefined },
      projection: "keys_and_values",
      chunkBytes: MIB,
      room: DUMP_CHUNK_ROOM,
      reading: { format: "bytes", typing: undefined },
    });
  });

  test("with wishes passes them all on", () => {
    const request = create(DumpMapRequestSchema, {
      map: mapSeven,
      filter: { keyPrefix: bytes(1) },
      projection: Projection.VALUES,
      cpuView: { view: { case: "cpu", value: 1 } },
      chunkBytes: 4096,
      maxElements: 2n ** 40n,
      maxElementsPerSecond: 1000,
      progressInterval: { seconds: 1n, nanos: 500_000_000 },
    });
    expect(toDumpRequest(request, 16 * MIB, undefined)).toMatchObject({
      filter: { keyPrefix: bytes(1) },
      projection: "values",
      cpuView: { cpu: 1 },
      chunkBytes: 4096,
      maxElements: 2 ** 40,
      maxElementsPerSecond: 1000,
      progressIntervalMs: 1500,
    });
  });

  test("never asks for chunks that are no message any more", () => {
    const request = create(DumpMapRequestSchema, { map: mapSeven, chunkBytes: 4 * MIB });
    expect(toDumpRequest(request, 65536, undefined).chunkBytes).toBe(65536 - DUMP_CHUNK_OVERHEAD);
  });

  const told = (item: DumpItem) => create(DumpMapResponseSchema, dumpMessage(item) as object).kind;

  test("tells header, progress and summary", () => {
    expect(told({ kind: "header", map: record, valueStride: 8 })).toMatchObject({
      case: "header",
      value: { map: { id: 7 }, valueStride: 8 },
    });
    expect(told({ kind: "progress", scanned: 2 ** 40, sent: 3 })).toMatchObject({
      case: "progress",
      value: { scanned: 2n ** 40n, sent: 3n },
    });
  });

  test.each([
    [undefined, IncompleteReason.UNSPECIFIED],
    ["max_elements", IncompleteReason.MAX_ELEMENTS],
    ["restarts", IncompleteReason.RESTARTS],
    ["dedup_memory", IncompleteReason.DEDUP_MEMORY],
  ] as const)("tells a summary with reason %s", (incompleteReason, expected) => {
    const summary = {
      sent: 1,
      scanned: 2,
      complete: incompleteReason === undefined,
      incompleteReason,
      restarts: 3,
      duplicatesDropped: 4,
      startTimeMs: 1_700_000_000_001,
      endTimeMs: 1_700_000_000_002,
    };
    const kind = told({ kind: "summary", summary });
    if (kind.case !== "summary") return expect.fail(`told ${kind.case}`);
    const { startTime, endTime, ...rest } = kind.value;
    expect(rest).toMatchObject({
      sent: 1n,
      scanned: 2n,
      complete: incompleteReason === undefined,
      incompleteReason: expected,
      restarts: 3,
      duplicatesDropped: 4n,
    });
    expect([startTime, endTime].map((time) => time && timestampMs(time))).toEqual([
      1_700_000_000_001, 1_700_000_000_002,
    ]);
  });
});

describe("a load", () => {
  const start = create(LoadMapRequestSchema, {
    kind: {
      case: "start",
      value: {
        map: mapSeven,
        strategy: LoadStrategy.REPLACE,
        dryRun: true,
        cpuTarget: { target: { case: "allCpus", value: true } },
      },
    },
  });
  const elements = create(LoadMapRequestSchema, {
    kind: { case: "elements", value: { count: 1, keys: bytes(1), values: bytes(2) } },
  });

  test("begins with its start", () => {
    expect(toLoadStart(start, undefined)).toEqual({
      map: { by: "id", id: 7, bootId: undefined },
      strategy: "replace",
      dryRun: true,
      cpuTarget: { allCpus: true },
    });
    expect(toLoadChunk(elements, undefined)).toEqual({
      count: 1,
      keys: bytes(1),
      values: bytes(2),
    });
  });

  test("is refused where it begins otherwise, or begins twice", () => {
    const refused = expect.objectContaining({
      reason: "FIELD_INVALID",
      violations: [expect.objectContaining({ field: "start" })],
    });
    expect(() => toLoadStart(undefined, undefined)).toThrow(refused);
    expect(() => toLoadStart(elements, undefined)).toThrow(refused);
    expect(() => toLoadChunk(start, undefined)).toThrow(refused);
  });

  test("tells what it counted and leaves out what it did not", () => {
    const told = (result: Parameters<typeof loadResultMessage>[0]) =>
      create(LoadMapResponseSchema, loadResultMessage(result));
    const { added, changed, unchanged, removed, ...told54 } = told({ received: 5, written: 4 });
    expect(told54).toMatchObject({ received: 5n, written: 4n });
    expect([added, changed, unchanged, removed]).toEqual(Array(4).fill(undefined));
    expect(
      told({ received: 5, written: 4, added: 0, changed: 1, unchanged: 2, removed: 3 }),
    ).toMatchObject({ added: 0n, changed: 1n, unchanged: 2n, removed: 3n });
  });
});

describe("capabilities of a type", () => {
  const hash: TypeCapabilities = {
    type: 1,
    name: "hash",
    availability: "available",
    operations: ["lookup", "lookup_and_delete_batch", "freeze"],
    createFlags: 0x1ff,
    requiredCreateFlags: 1,
    keyKind: "bytes",
    valueKind: "perCpu",
    minKeySize: 1,
    maxKeySize: 2,
    minValueSize: 3,
    maxValueSize: 4,
    maxMaxEntries: 0,
    zeroMaxEntries: true,
    singleCpuWrite: "readModifyWrite",
    evicts: true,
    notes: "note",
  };
  const told = (change: Partial<TypeCapabilities>) =>
    create(MapTypeCapabilitiesSchema, capabilityMessage({ ...hash, ...change }));

  test("are told with every field", () => {
    expect(told({})).toMatchObject({
      type: 1,
      name: "hash",
      availability: Availability.AVAILABLE,
      operations: [MapOperation.LOOKUP, MapOperation.LOOKUP_AND_DELETE_BATCH, MapOperation.FREEZE],
      createFlags: 0x1ff,
      requiredCreateFlags: 1,
      keyKind: KeyKind.BYTES,
      valueKind: ValueKind.PER_CPU,
      minKeySize: 1,
      maxKeySize: 2,
      minValueSize: 3,
      maxValueSize: 4,
      zeroMaxEntries: true,
      singleCpuWrite: SingleCpuWrite.READ_MODIFY_WRITE,
      evicts: true,
      notes: "note",
    });
  });

  test("name every kind as the contract does", () => {
    const kinds = ["bytes", "index", "prefix", "none", "object"] as const;
    expect(kinds.map((keyKind) => told({ keyKind }).keyKind)).toEqual([
      KeyKind.BYTES,
      KeyKind.INDEX,
      KeyKind.PREFIX,
      KeyKind.NONE,
      KeyKind.OBJECT,
    ]);
    const values = ["bytes", "perCpu", "object", "memory"] as const;
    expect(values.map((valueKind) => told({ valueKind }).valueKind)).toEqual([
      ValueKind.BYTES,
      ValueKind.PER_CPU,
      ValueKind.OBJECT,
      ValueKind.MEMORY,
    ]);
    const states = ["available", "unavailable", "denied"] as const;
    expect(states.map((availability) => told({ availability }).availability)).toEqual([
      Availability.AVAILABLE,
      Availability.UNAVAILABLE,
      Availability.DENIED,
    ]);
  });

  test("of a type that nobody knows are not known", () => {
    expect(create(MapTypeCapabilitiesSchema, unknownCapabilityMessage(99 as never))).toMatchObject({
      type: 99,
      availability: Availability.UNSPECIFIED,
    });
  });
});
