import { CreateFlag, MapType } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  Assembler,
  closeFd,
  FP,
  mapGetFdById,
  programTestRun,
  R1,
  R2,
  R3,
  R4,
  R5,
  R6,
} from "#dist/kernel/index.js";
import { uniqueName } from "../service/support/plain-map.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import {
  deleteObjects,
  dumpObjects,
  makeObjectMap,
  type ObjectMap,
  u32Keys,
  type ValueInit,
  writeObjects,
} from "./support/maps.js";
import { loadProgram } from "./support/objects.js";
import { openFds } from "./support/processes.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

const event = (cpu: number): ValueInit => ({
  object: {
    case: "perfEvent",
    value: { ref: { case: "spec", value: { type: 1, config: 10n, cpu } } },
  },
});

/** A program that writes to a perf event array's slot 0: what the helper answered. */
function outputProgram(map: ObjectMap) {
  const fd = mapGetFdById(map.id);
  onTestFinished(() => closeFd(fd));
  return loadProgram(
    {},
    new Assembler()
      .mov(R6, R1)
      .store("u64", FP, -8, 7)
      .mov(R1, R6)
      .loadMap(R2, fd)
      .mov(R3, 0)
      .mov(R4, FP)
      .add(R4, -8)
      .mov(R5, 8)
      .call("perf_event_output")
      .exit(),
  );
}

const errnoOf = ({ fd }: { fd: number }) =>
  programTestRun(fd, { data: new Uint8Array(14) }).returnValue | 0;

const ENOENT = -2;

describe("perf events in a PERF_EVENT_ARRAY", () => {
  const spec = { type: MapType.PERF_EVENT_ARRAY, maxEntries: 2 };

  it("live as long as the daemon holds the map, and are counted", async () => {
    const map = await makeObjectMap(daemon, spec);
    const program = outputProgram(map);
    expect(errnoOf(program)).toBe(ENOENT);
    await writeObjects(daemon, map, [[0, event(0)]]);
    await writeObjects(daemon, map, [[1, event(1)]]);
    expect(await map.handle.get()).toMatchObject({ keptObjects: 2 });
    // The event is there now: what is missing is only the CPU, or a reader's buffer.
    expect(errnoOf(program)).not.toBe(ENOENT);
    expect(await deleteObjects(daemon, map, 1)).toEqual([]);
    expect(await map.handle.get()).toMatchObject({ keptObjects: 1 });
    await daemon.client.maps.releaseMap({ name: map.hold });
    expect(await map.handle.get()).toMatchObject({ keptObjects: 0, holds: [] });
    expect(errnoOf(program)).toBe(ENOENT);
  });

  it("are kept by no hold but the last", async () => {
    const map = await makeObjectMap(daemon, spec);
    const second = uniqueName();
    await daemon.client.maps.holdMap({ map: map.handle.ref, hold: { name: second } });
    await writeObjects(daemon, map, [[0, event(0)]]);
    await daemon.client.maps.releaseMap({ name: map.hold });
    expect(await map.handle.get()).toMatchObject({ keptObjects: 1 });
    await daemon.client.maps.releaseMap({ name: second });
    expect(await map.handle.get()).toMatchObject({ keptObjects: 0 });
  });

  it("are refused where they would vanish with the call", async () => {
    const map = await makeObjectMap(daemon, spec);
    await daemon.client.maps.releaseMap({ name: map.hold });
    await expect(writeObjects(daemon, map, [[0, event(0)]])).rejects.toMatchObject({
      reason: "OBJECT_UNSUITABLE",
      message: expect.stringContaining("hold the map first"),
    });
    const created = daemon.client.maps.createMap({
      spec: { keySize: 4, valueSize: 4, ...spec },
      pinPath: `${daemon.bpffs}/${uniqueName()}`,
      initialElements: { count: 1, keys: u32Keys(0), objectValues: [event(0)] },
    });
    await expect(created).rejects.toMatchObject({ reason: "OBJECT_UNSUITABLE" });
  });

  it("need no hold where the map preserves them", async () => {
    const map = await makeObjectMap(daemon, { ...spec, flags: CreateFlag.PRESERVE_ELEMS });
    await daemon.client.maps.releaseMap({ name: map.hold });
    await writeObjects(daemon, map, [[0, event(0)]]);
    expect(await map.handle.get()).toMatchObject({ keptObjects: 0 });
    expect(await deleteObjects(daemon, map, 0)).toEqual([]);
  });
});

describe("programs in a PROG_ARRAY", () => {
  const program = (id: number): ValueInit => ({
    object: { case: "program", value: { ref: { case: "id", value: id } } },
  });

  /** Calls slot 0; 1 where there is nothing. */
  function caller(map: ObjectMap) {
    const fd = mapGetFdById(map.id);
    onTestFinished(() => closeFd(fd));
    const calling = new Assembler().loadMap(R2, fd).mov(R3, 0).call("tail_call").return(1);
    const { fd: programFd } = loadProgram({}, calling);
    return () => programTestRun(programFd, { data: new Uint8Array(14) }).returnValue;
  }

  it("are what a tail call runs, until they are replaced and deleted", async () => {
    const map = await makeObjectMap(daemon, { type: MapType.PROG_ARRAY });
    const call = caller(map);
    const [seven, nine] = [7, 9].map((number) => loadProgram({}, new Assembler().return(number)));
    expect(call()).toBe(1);
    await writeObjects(daemon, map, [[0, program(seven!.id)]]);
    expect(call()).toBe(7);
    expect(await map.handle.get()).toMatchObject({ keptObjects: 1, ownerProgType: 1 });
    await writeObjects(daemon, map, [[0, program(nine!.id)]]);
    expect(call()).toBe(9);
    await deleteObjects(daemon, map, 0);
    expect(call()).toBe(1);
  });

  it("are told among the programs that use a map, and their loader among its holders", async () => {
    const map = await makeObjectMap(daemon, { type: MapType.PROG_ARRAY });
    caller(map);
    const told = await map.handle.get({ programs: true, holders: true });
    expect(told.programs).toMatchObject([{ type: 1 }]);
    expect(told.holders.map(({ pid }) => pid)).toContain(process.pid);
    expect((await map.handle.get()).programs).toEqual([]);
  });

  it("are refused where the map has no other user, and taken where it has a pin", async () => {
    const map = await makeObjectMap(daemon, { type: MapType.PROG_ARRAY });
    const { id } = loadProgram();
    // The program refers to the map, but is no user of it.
    const fd = mapGetFdById(map.id);
    loadProgram({}, new Assembler().loadMap(R2, fd).mov(R3, 0).call("tail_call").return(1));
    closeFd(fd);
    await daemon.client.maps.releaseMap({ name: map.hold });
    await writeObjects(daemon, map, [[0, program(id)]]);
    expect(await dumpObjects(map)).toMatchObject({ count: 1 });
    expect(await map.handle.get()).toMatchObject({ keptObjects: 0 });
    await daemon.client.maps.unpinMap({ path: map.pinPath });
    await expect(writeObjects(daemon, map, [[0, program(id)]])).rejects.toMatchObject({
      reason: "OBJECT_UNSUITABLE",
    });
  });
});

it("opens no more than 4096 objects for one call", async () => {
  const array = await makeObjectMap(daemon, { type: MapType.CGROUP_ARRAY, maxEntries: 5000 });
  const root: ValueInit = {
    object: { case: "cgroup", value: { ref: { case: "path", value: "/" } } },
  };
  const many = (count: number) =>
    writeObjects(
      daemon,
      array,
      Array.from({ length: count }, (_, key) => [key, root] as const),
    );
  const before = openFds(daemon.pid);
  await expect(many(4097)).rejects.toMatchObject({ reason: "LIMIT_EXCEEDED" });
  expect(await many(4096)).toMatchObject({ applied: 4096 });
  expect(openFds(daemon.pid)).toBe(before);
});

it("leaves no file descriptor open after 1,000 updates of objects", async () => {
  const map = await makeObjectMap(daemon, { type: MapType.PROG_ARRAY, maxEntries: 8 });
  const { id } = loadProgram();
  const value: ValueInit = {
    object: { case: "program", value: { ref: { case: "id", value: id } } },
  };
  const events = await makeObjectMap(daemon, { type: MapType.PERF_EVENT_ARRAY, maxEntries: 2 });
  const round = async (number: number) => {
    await writeObjects(daemon, map, [
      [number % 8, value],
      [(number + 1) % 8, value],
    ]);
    await writeObjects(daemon, events, [[0, event(0)]]);
    await deleteObjects(daemon, events, 0);
    const bad: ValueInit = {
      object: { case: "program", value: { ref: { case: "id", value: 0x7ffffff0 } } },
    };
    await expect(
      writeObjects(daemon, map, [
        [0, value],
        [1, bad],
      ]),
    ).rejects.toMatchObject({
      reason: "OBJECT_NOT_FOUND",
    });
  };
  await round(0);
  const before = openFds(daemon.pid);
  for (let number = 0; number < 334; number++) await round(number);
  expect(openFds(daemon.pid)).toBe(before);
});
