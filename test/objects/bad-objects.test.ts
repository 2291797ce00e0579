import { CreateFlag, MapType, OnError, UpdateMode } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, it } from "vitest";
import { ProgramType } from "#dist/kernel/index.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import {
  dumpObjects,
  makeObjectMap,
  type ObjectMap,
  type SpecInit,
  u32Keys,
  type ValueInit,
  writeObjects,
} from "./support/maps.js";
import { loadProgram, makeCgroup, makeInterfaces } from "./support/objects.js";
import { type SocketKind, SocketProcess } from "./support/sockets.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

const byId = (value: number) => ({ ref: { case: "id" as const, value } });
const byPin = (value: string) => ({ ref: { case: "pinPath" as const, value } });
const byName = (value: string) => ({ ref: { case: "name" as const, value } });
const program = (value: number): ValueInit => ({ object: { case: "program", value: byId(value) } });
const pinned = (value: string): ValueInit => ({ object: { case: "program", value: byPin(value) } });
const cgroup = (value: string): ValueInit => ({
  object: { case: "cgroup", value: { ref: { case: "path", value } } },
});
const map = (value: number): ValueInit => ({ object: { case: "map", value: byId(value) } });

const NONE = 0x7ffffff0;

/** A value that must be refused beside a good one, and how. */
interface Case {
  readonly spec: SpecInit;
  readonly good: () => ValueInit | Promise<ValueInit>;
  readonly bad: (map: ObjectMap) => ValueInit | Promise<ValueInit>;
  readonly reason: string;
  /** The field at fault, below `elements.object_values[1]`. */
  readonly field?: string;
  /** Only the kernel finds out, so what came before is written. */
  readonly late?: boolean;
}

const PROGS: SpecInit = { type: MapType.PROG_ARRAY };
const CGROUPS: SpecInit = { type: MapType.CGROUP_ARRAY };
const INNER = { type: MapType.HASH, keySize: 4, valueSize: 8, maxEntries: 4 };
const OUTER: SpecInit = { type: MapType.HASH_OF_MAPS, innerMapSpec: INNER };
const DEVICES: SpecInit = { type: MapType.DEVMAP_HASH, valueSize: 8 };
const SOCKETS: SpecInit = { type: MapType.SOCKHASH, valueSize: 8 };

const goodProgram = () => program(loadProgram().id);
const goodCgroup = () => cgroup(makeCgroup().path);
const goodInner = async () => map((await makeObjectMap(daemon, INNER)).id);
const goodDevice = (): ValueInit => ({
  object: { case: "device", value: { interface: byName(makeInterfaces()[0]) } },
});
const socket = (kind: SocketKind) => async (): Promise<ValueInit> => ({
  object: { case: "socket", value: (await SocketProcess.start(kind)).ref(0) },
});

const CASES: Record<string, Case> = {
  "a program that is not there": {
    ...{ spec: PROGS, good: goodProgram, bad: () => program(NONE) },
    ...{ reason: "OBJECT_NOT_FOUND", field: "program.id" },
  },
  "a program of another type": {
    spec: PROGS,
    good: goodProgram,
    bad: () => program(loadProgram({ type: ProgramType.XDP }).id),
    reason: "OBJECT_UNSUITABLE",
    field: "program",
  },
  "a pin that is not there": {
    spec: PROGS,
    good: goodProgram,
    bad: () => pinned(`${daemon.bpffs}/none`),
    reason: "OBJECT_NOT_FOUND",
    field: "program.pin_path",
  },
  "a pin that is a map's": {
    spec: PROGS,
    good: goodProgram,
    bad: (map) => pinned(map.pinPath),
    reason: "OBJECT_WRONG_KIND",
    field: "program.pin_path",
  },
  "a pin outside the roots": {
    ...{ spec: PROGS, good: goodProgram, bad: () => pinned("/etc/passwd") },
    ...{ reason: "PIN_PATH_OUTSIDE_ROOT", field: "program.pin_path" },
  },
  "a map where programs are": {
    spec: PROGS,
    good: goodProgram,
    bad: goodInner,
    reason: "OBJECT_WRONG_KIND",
  },
  "a cgroup that is not there": {
    ...{ spec: CGROUPS, good: goodCgroup, bad: () => cgroup("/no/such") },
    ...{ reason: "OBJECT_NOT_FOUND", field: "cgroup.path" },
  },
  "a cgroup id that is none": {
    spec: CGROUPS,
    good: goodCgroup,
    bad: () => ({
      object: { case: "cgroup", value: { ref: { case: "id", value: 1n << 60n } } },
    }),
    reason: "OBJECT_NOT_FOUND",
    field: "cgroup.id",
  },
  "a path that leads out of the cgroups": {
    ...{ spec: CGROUPS, good: goodCgroup, bad: () => cgroup("/../../etc") },
    ...{ reason: "FIELD_INVALID", field: "cgroup.path" },
  },
  "an inner map that is not there": {
    ...{ spec: OUTER, good: goodInner, bad: () => map(NONE) },
    ...{ reason: "OBJECT_NOT_FOUND", field: "map" },
  },
  "an inner map unlike the template": {
    spec: OUTER,
    good: goodInner,
    bad: async () => map((await makeObjectMap(daemon, { ...INNER, valueSize: 16 })).id),
    reason: "OBJECT_UNSUITABLE",
    late: true,
  },
  "an interface that is not there": {
    spec: DEVICES,
    good: goodDevice,
    bad: () => ({ object: { case: "device", value: { interface: byName("nosuchif") } } }),
    reason: "OBJECT_NOT_FOUND",
    field: "device.interface.name",
  },
  "a device's program that is no XDP program": {
    spec: DEVICES,
    good: goodDevice,
    bad: () => ({
      object: {
        case: "device",
        value: { interface: byName(makeInterfaces()[0]), program: byId(loadProgram().id) },
      },
    }),
    reason: "OBJECT_UNSUITABLE",
    field: "device.program",
  },
  "a device's XDP program that is not for devmaps": {
    spec: DEVICES,
    good: goodDevice,
    bad: () => ({
      object: {
        case: "device",
        value: {
          interface: byName(makeInterfaces()[0]),
          program: byId(loadProgram({ type: ProgramType.XDP }).id),
        },
      },
    }),
    reason: "OBJECT_UNSUITABLE",
    late: true,
  },
  "a device's program where values have 4 bytes": {
    spec: { type: MapType.DEVMAP, valueSize: 4 },
    good: goodDevice,
    bad: () => ({
      object: {
        case: "device",
        value: { interface: byName(makeInterfaces()[0]), program: byId(loadProgram().id) },
      },
    }),
    reason: "FIELD_INVALID",
    field: "device.program",
  },
  "a socket of a process that is not there": {
    spec: SOCKETS,
    good: socket("tcp_connected"),
    bad: () => ({
      object: {
        case: "socket",
        value: { ref: { case: "file", value: { pid: NONE, fd: 3 } } },
      },
    }),
    reason: "OBJECT_NOT_FOUND",
    field: "socket.file.pid",
  },
  "a cookie": {
    spec: SOCKETS,
    good: socket("tcp_connected"),
    bad: () => ({ object: { case: "socket", value: { ref: { case: "cookie", value: 7n } } } }),
    reason: "FIELD_INVALID",
    field: "socket.cookie",
  },
  "a file that is no socket": {
    ...{ spec: SOCKETS, good: socket("tcp_connected"), bad: socket("a_file") },
    ...{ reason: "OBJECT_WRONG_KIND", field: "socket.file" },
  },
  "a socket that is not connected": {
    ...{ spec: SOCKETS, good: socket("tcp_connected"), bad: socket("tcp_fresh") },
    ...{ reason: "OBJECT_UNSUITABLE", late: true },
  },
  "a TCP socket where AF_XDP is wanted": {
    ...{ spec: { type: MapType.XSKMAP }, good: socket("xdp"), bad: socket("tcp_listen") },
    ...{ reason: "OBJECT_WRONG_KIND", field: "socket" },
  },
  "a socket without SO_REUSEPORT": {
    spec: { type: MapType.REUSEPORT_SOCKARRAY, valueSize: 8 },
    ...{ good: socket("udp_reuseport"), bad: socket("udp_bound") },
    ...{ reason: "OBJECT_UNSUITABLE", late: true },
  },
  "a perf event on a CPU that is not there": {
    spec: { type: MapType.PERF_EVENT_ARRAY, flags: CreateFlag.PRESERVE_ELEMS },
    good: () => perfEvent(0),
    bad: () => perfEvent(4000),
    ...{ reason: "OBJECT_NOT_FOUND", field: "perf_event.spec" },
  },
};

function perfEvent(cpu: number): ValueInit {
  const spec = { type: 1, config: 10n, cpu };
  return { object: { case: "perfEvent", value: { ref: { case: "spec", value: spec } } } };
}

describe.each(Object.entries(CASES))("%s", (_, test) => {
  it("is refused, and nothing is changed", async () => {
    const map = await makeObjectMap(daemon, test.spec);
    const good = await test.good();
    const call = writeObjects(daemon, map, [
      [0, good],
      [1, await test.bad(map)],
    ]);
    const at = "elements.object_values[1]";
    await expect(call).rejects.toMatchObject({
      reason: test.reason,
      ...(test.late
        ? { metadata: { index: "1", applied: "1" } }
        : { violations: [{ field: test.field ? `${at}.${test.field}` : at }] }),
    });
    const { objectValues } = await dumpObjects(map);
    const seen = objectValues?.filter(({ object }) => object?.case !== undefined) ?? [];
    const isReadable = ![MapType.CGROUP_ARRAY, MapType.XSKMAP, MapType.PERF_EVENT_ARRAY].includes(
      test.spec.type,
    );
    if (isReadable) expect(seen).toHaveLength(test.late ? 1 : 0);
  });
});

it("goes on after an object that the kernel refuses, where that is asked for", async () => {
  const outer = await makeObjectMap(daemon, OUTER);
  const unlike = await makeObjectMap(daemon, { ...INNER, valueSize: 16 });
  const objectValues = [map(unlike.id), await goodInner()];
  const { applied, failures } = await daemon.client.maps.updateElements({
    map: outer.handle.ref,
    elements: { count: 2, keys: u32Keys(1, 2), objectValues },
    onError: OnError.CONTINUE,
  });
  expect(applied).toBe(1);
  expect(failures).toHaveLength(1);
  expect(failures[0]?.index).toBe(0);
});

it("refuses a mode that the kernel does not have for arrays of objects", async () => {
  const array = await makeObjectMap(daemon, PROGS);
  const call = daemon.client.maps.updateElements({
    map: array.handle.ref,
    elements: { count: 1, keys: u32Keys(0), objectValues: [goodProgram()] },
    mode: UpdateMode.NOEXIST,
  });
  await expect(call).rejects.toMatchObject({ violations: [{ field: "mode" }] });
});

it("refuses objects for maps of bytes, and two forms at once", async () => {
  const hash = await makeObjectMap(daemon, INNER);
  const call = (elements: object) =>
    daemon.client.maps.updateElements({
      map: hash.handle.ref,
      elements: { count: 1, ...elements },
    });
  await expect(call({ keys: u32Keys(0), objectValues: [goodProgram()] })).rejects.toMatchObject({
    violations: [{ field: "elements.object_values" }],
  });
  const both = { keys: u32Keys(0), values: Buffer.alloc(8), objectValues: [goodProgram()] };
  await expect(call(both)).rejects.toMatchObject({ violations: [{ field: "elements.values" }] });
  const tooMany = { keys: u32Keys(0), objectValues: [goodProgram(), goodProgram()] };
  await expect(call(tooMany)).rejects.toMatchObject({
    violations: [{ field: "elements.object_values" }],
  });
});

it("never takes a number for a file descriptor of the daemon's", async () => {
  // Whatever the daemon has open under small numbers, no such value comes near the kernel.
  for (const spec of [PROGS, OUTER, CGROUPS, SOCKETS]) {
    const target = await makeObjectMap(daemon, spec);
    const values = Buffer.alloc(target.info.valueSize);
    for (let fd = 0; fd < 40; fd++) {
      values.writeUInt32LE(fd);
      const call = daemon.client.maps.updateElements({
        map: target.handle.ref,
        elements: { count: 1, keys: u32Keys(0), values },
      });
      await expect(call).rejects.toMatchObject({ reason: "FIELD_INVALID" });
    }
  }
});
