import { CreateFlag, MapType } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, it } from "vitest";
import { AttachType, interfaceIndex, ProgramType } from "#dist/kernel/index.js";
import { bpftool } from "../service/support/bpftool.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import {
  deleteObjects,
  dumpObjects,
  makeObjectMap,
  type ObjectMap,
  readObjects,
  type SpecInit,
  u32Keys,
  type ValueInit,
  writeObjects,
} from "./support/maps.js";
import { loadProgram, makeCgroup, makeInterfaces, pinProgram } from "./support/objects.js";
import { SocketProcess } from "./support/sockets.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

/** An object to write, and what it is read back as; undefined where it cannot be. */
type Entry = readonly [written: ValueInit, read: ValueInit | undefined];

interface Case {
  readonly spec: SpecInit;
  readonly entries: () => Entry[] | Promise<Entry[]>;
  /** Whether empty slots of the type cannot be told from others. */
  readonly listsAll?: boolean;
  /** Keys of the entries; 0, 1, … unless given. */
  readonly keys?: readonly number[];
}

const programById = (id: number) => ({ ref: { case: "id" as const, value: id } });
const program = (id: number): ValueInit => ({
  object: { case: "program", value: programById(id) },
});

const programs = (): Entry[] => {
  const [one, two] = [loadProgram(), loadProgram()];
  const pin = { ref: { case: "pinPath" as const, value: pinProgram(daemon, two) } };
  return [
    [program(one.id), program(one.id)],
    [{ object: { case: "program", value: pin } }, program(two.id)],
  ];
};

const perfEvents = (): Entry[] => {
  const spec = (config: bigint, cpu: number): ValueInit => ({
    object: {
      case: "perfEvent",
      value: { ref: { case: "spec", value: { type: 1, config, cpu } } },
    },
  });
  return [
    [spec(10n, 0), undefined],
    [spec(0n, 1), undefined],
  ];
};

const cgroups = (): Entry[] => {
  const [one, two] = [makeCgroup(), makeCgroup()];
  return [
    [{ object: { case: "cgroup", value: { ref: { case: "path", value: one.path } } } }, undefined],
    [{ object: { case: "cgroup", value: { ref: { case: "id", value: two.id } } } }, undefined],
  ];
};

const innerSpec = { type: MapType.HASH, keySize: 4, valueSize: 8, maxEntries: 16 };
const innerMaps = async (): Promise<Entry[]> => {
  const [one, two] = [
    await makeObjectMap(daemon, innerSpec),
    await makeObjectMap(daemon, innerSpec),
  ];
  const bootId = one.info.bootId;
  const read = (map: ObjectMap): ValueInit => ({
    object: { case: "map", value: { ref: { case: "id", value: map.id }, bootId } },
  });
  return [
    [read(one), read(one)],
    [{ object: { case: "map", value: { ref: { case: "held", value: two.hold } } } }, read(two)],
  ];
};

const byName = (value: string) => ({ ref: { case: "name" as const, value } });
const devices = (withProgram: boolean) => (): Entry[] => {
  const [one, two] = makeInterfaces();
  const expectedAttachType = AttachType.XDP_DEVMAP;
  const xdp = withProgram && loadProgram({ type: ProgramType.XDP, expectedAttachType });
  const plain: ValueInit = { object: { case: "device", value: { interface: byName(one) } } };
  const rest = xdp ? { program: programById(xdp.id) } : {};
  const index = { ref: { case: "index" as const, value: interfaceIndex(two) as number } };
  return [
    [plain, plain],
    [
      { object: { case: "device", value: { interface: index, ...rest } } },
      { object: { case: "device", value: { interface: byName(two), ...rest } } },
    ],
  ];
};

const cpus = (withProgram: boolean) => (): Entry[] => {
  const expectedAttachType = AttachType.XDP_CPUMAP;
  const xdp = withProgram && loadProgram({ type: ProgramType.XDP, expectedAttachType });
  const rest = xdp ? { program: programById(xdp.id) } : {};
  const plain: ValueInit = { object: { case: "cpu", value: { queueSize: 192 } } };
  const other: ValueInit = { object: { case: "cpu", value: { queueSize: 2048, ...rest } } };
  return [
    [plain, plain],
    [other, other],
  ];
};

const sockets =
  (...kinds: Parameters<typeof SocketProcess.start>) =>
  async (): Promise<Entry[]> => {
    const process = await SocketProcess.start(...kinds);
    return kinds.map((_, index) => [
      { object: { case: "socket", value: process.ref(index) } },
      // A cookie that only the kernel knows.
      { object: { case: "socket", value: { ref: { case: "cookie", value: expect.any(BigInt) } } } },
    ]);
  };
const unreadable = (entries: () => Promise<Entry[]>) => async (): Promise<Entry[]> =>
  (await entries()).map(([written]) => [written, undefined]);

const tcp = sockets("tcp_connected", "tcp_listen");
const CASES: Record<string, Case> = {
  PROG_ARRAY: { spec: { type: MapType.PROG_ARRAY }, entries: programs },
  PERF_EVENT_ARRAY: {
    spec: { type: MapType.PERF_EVENT_ARRAY },
    entries: perfEvents,
    listsAll: true,
  },
  "PERF_EVENT_ARRAY with PRESERVE_ELEMS": {
    spec: { type: MapType.PERF_EVENT_ARRAY, flags: CreateFlag.PRESERVE_ELEMS },
    entries: perfEvents,
    listsAll: true,
  },
  CGROUP_ARRAY: { spec: { type: MapType.CGROUP_ARRAY }, entries: cgroups, listsAll: true },
  ARRAY_OF_MAPS: {
    spec: { type: MapType.ARRAY_OF_MAPS, innerMapSpec: innerSpec },
    entries: innerMaps,
  },
  HASH_OF_MAPS: {
    spec: { type: MapType.HASH_OF_MAPS, innerMapSpec: innerSpec },
    entries: innerMaps,
    keys: [70000, 1],
  },
  "DEVMAP of interfaces": { spec: { type: MapType.DEVMAP }, entries: devices(false) },
  "DEVMAP with programs": { spec: { type: MapType.DEVMAP, valueSize: 8 }, entries: devices(true) },
  DEVMAP_HASH: {
    spec: { type: MapType.DEVMAP_HASH, valueSize: 8 },
    entries: devices(true),
    keys: [4711, 3],
  },
  "CPUMAP of queues": { spec: { type: MapType.CPUMAP, maxEntries: 2 }, entries: cpus(false) },
  "CPUMAP with programs": {
    spec: { type: MapType.CPUMAP, maxEntries: 2, valueSize: 8 },
    entries: cpus(true),
  },
  XSKMAP: {
    spec: { type: MapType.XSKMAP },
    entries: unreadable(sockets("xdp", "xdp")),
    listsAll: true,
  },
  "SOCKMAP of cookies": { spec: { type: MapType.SOCKMAP, valueSize: 8 }, entries: tcp },
  "SOCKMAP of 4 bytes": {
    spec: { type: MapType.SOCKMAP },
    entries: unreadable(tcp),
    listsAll: true,
  },
  SOCKHASH: {
    spec: { type: MapType.SOCKHASH, valueSize: 8 },
    entries: sockets("tcp_connected", "udp_bound", "unix_connected"),
    keys: [9, 8, 7],
  },
  REUSEPORT_SOCKARRAY: {
    spec: { type: MapType.REUSEPORT_SOCKARRAY, valueSize: 8 },
    entries: sockets("udp_reuseport", "udp_reuseport"),
  },
};

const cases = Object.entries(CASES);

/** The entries of a case under their keys. */
async function keyed({ entries, keys }: Case) {
  const made = await entries();
  return made.map(([written, read], index) => ({ key: keys?.[index] ?? index, written, read }));
}

const pairs = (entries: readonly { key: number; written: ValueInit }[]) =>
  entries.map(({ key, written }) => [key, written] as const);

describe.each(cases)("%s", (_, test) => {
  it("reads back what was written to it, one by one and in a dump", async () => {
    const entries = await keyed(test);
    const map = await makeObjectMap(daemon, test.spec);
    expect(await writeObjects(daemon, map, pairs(entries))).toMatchObject({
      applied: entries.length,
      failures: [],
    });
    if (entries[0]?.read) {
      const { objectValues } = await readObjects(daemon, map, ...entries.map(({ key }) => key));
      expect(objectValues).toMatchObject(entries.map(({ read }) => read));
    }
    const dumped = await dumpObjects(map);
    const expected = test.listsAll ? map.info.maxEntries : entries.length;
    expect(dumped.count).toBe(expected);
    expect(await map.handle.count()).toMatchObject({ count: BigInt(expected) });
    for (const { key, read } of entries) {
      const at = keyNumbers(dumped.keys as Buffer).indexOf(key);
      expect(at).toBeGreaterThanOrEqual(0);
      const value = dumped.objectValues?.[at];
      if (read) expect(value).toMatchObject(read);
      else expect(value?.object?.case).toBeUndefined();
    }
    if (!test.listsAll) expect(asBpftool(dumped)).toEqual(fullSlots(map.id));
  });

  it("takes them as initial elements and from a load", async () => {
    const entries = await keyed(test);
    const elements = {
      count: entries.length,
      keys: u32Keys(...entries.map(({ key }) => key)),
      objectValues: entries.map(({ written }) => written),
    };
    // A socket can be in one map of this type only.
    const isExclusive = test.spec.type === MapType.REUSEPORT_SOCKARRAY;
    const first = await makeObjectMap(daemon, test.spec, elements);
    if (isExclusive) await first.handle.clear();
    const second = await makeObjectMap(daemon, test.spec);
    async function* stream() {
      yield { kind: { case: "start" as const, value: { map: second.handle.ref } } };
      yield { kind: { case: "elements" as const, value: elements } };
    }
    const loaded = await daemon.client.maps.loadMap(stream());
    expect(loaded).toMatchObject({ received: BigInt(entries.length) });
    const [before, after] = [await dumpObjects(first), await dumpObjects(second)];
    if (!isExclusive) expect(asBpftool(after)).toEqual(asBpftool(before));
    expect(after.count).toBeGreaterThan(0);
  });

  it("is emptied by deletion and by ClearMap", async () => {
    const entries = await keyed(test);
    const map = await makeObjectMap(daemon, test.spec);
    await writeObjects(daemon, map, pairs(entries));
    expect(await deleteObjects(daemon, map, entries[0]!.key)).toEqual([]);
    if (!test.listsAll) expect((await dumpObjects(map)).count).toBe(entries.length - 1);
    await map.handle.clear();
    if (!test.listsAll) expect((await dumpObjects(map)).count).toBe(0);
    expect(await map.handle.get()).toMatchObject({ keptObjects: 0 });
  });

  it("takes no bytes for them", async () => {
    const map = await makeObjectMap(daemon, test.spec);
    const { valueSize } = map.info;
    const update = daemon.client.maps.updateElements({
      map: map.handle.ref,
      elements: { count: 1, keys: u32Keys(0), values: Buffer.alloc(valueSize, 3) },
    });
    await expect(update).rejects.toMatchObject({
      reason: "FIELD_INVALID",
      violations: [{ field: "elements.values" }],
    });
    if (!test.listsAll) expect((await dumpObjects(map)).count).toBe(0);
  });
});

function keyNumbers(keys: Buffer): number[] {
  return Array.from({ length: keys.length / 4 }, (_, index) => keys.readUInt32LE(index * 4));
}

/** What bpftool can read of a map; it tells an error for each empty slot. */
function fullSlots(id: number): [key: string, value: string][] {
  const hex = (words: readonly string[]) => words.map((word) => word.slice(2)).join("");
  const told = bpftool("map", "dump", "id", String(id)) as {
    key: string[];
    value: string[] | { error: string };
  }[];
  return told
    .flatMap(({ key, value }): [string, string][] =>
      Array.isArray(value) ? [[hex(key), hex(value)]] : [],
    )
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A dump in the same form. */
function asBpftool({ count, keys, values }: Awaited<ReturnType<typeof dumpObjects>>) {
  const [key, value] = [keys as Buffer, values as Buffer];
  const size = value.length / count;
  return Array.from({ length: count }, (_, at): [string, string] => [
    key.toString("hex", at * 4, at * 4 + 4),
    value.toString("hex", at * size, (at + 1) * size),
  ]).sort(([a], [b]) => (a < b ? -1 : 1));
}
