import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateFlag, MapType, OnError, UpdateMode } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  Assembler,
  AttachType,
  BtfBuilder,
  closeFd,
  linkCreate,
  mapGetFdById,
  openCgroup,
  ProgramType,
  R1,
  R2,
} from "#dist/kernel/index.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { type KeyInit, makeObjectMap, type ObjectMap, type SpecInit } from "./support/maps.js";
import { loadProgram, makeCgroup } from "./support/objects.js";
import { SocketProcess } from "./support/sockets.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

/** Two objects that can be keys, and one of the same kind that is not there. */
interface Keys {
  readonly keys: readonly [KeyInit, KeyInit];
  readonly absent: KeyInit;
}

const socketKeys = async (): Promise<Keys> => {
  const process = await SocketProcess.start("tcp_connected", "udp_bound");
  const key = (index: number): KeyInit => ({
    object: { case: "socket", value: process.ref(index) },
  });
  const file = { pid: process.pid, fd: 900 };
  const absent = { ref: { case: "file" as const, value: file } };
  return { keys: [key(0), key(1)], absent: { object: { case: "socket", value: absent } } };
};

const pathKeys = (): Keys => {
  const directory = mkdtempSync(join(tmpdir(), "bpfmapd-test-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "file");
  writeFileSync(file, "");
  const key = (value: string): KeyInit => ({ object: { case: "path", value } });
  return { keys: [key(directory), key(file)], absent: key(join(directory, "none")) };
};

const taskKeys = (): Keys => {
  const child = spawn("sleep", ["1000"], { stdio: "ignore" });
  onTestFinished(async () => {
    const exit = once(child, "exit");
    child.kill();
    await exit;
  });
  const key = (pid: number): KeyInit => ({ object: { case: "task", value: { pid } } });
  return { keys: [key(child.pid as number), key(process.pid)], absent: key(0x3ffffff0) };
};

const cgroupKeys = (): Keys => {
  const [one, two] = [makeCgroup(), makeCgroup()];
  const byPath = { ref: { case: "path" as const, value: one.path } };
  const byId = { ref: { case: "id" as const, value: two.id } };
  const absent = { ref: { case: "path" as const, value: "/no/such/group" } };
  return {
    keys: [
      { object: { case: "cgroup", value: byPath } },
      { object: { case: "cgroup", value: byId } },
    ],
    absent: { object: { case: "cgroup", value: absent } },
  };
};

const STORAGES: [name: string, type: MapType, keys: () => Keys | Promise<Keys>][] = [
  ["SK_STORAGE", MapType.SK_STORAGE, socketKeys],
  ["INODE_STORAGE", MapType.INODE_STORAGE, pathKeys],
  ["TASK_STORAGE", MapType.TASK_STORAGE, taskKeys],
  ["CGRP_STORAGE", MapType.CGRP_STORAGE, cgroupKeys],
];

const storage = (type: MapType): SpecInit => ({
  ...{ type, keySize: 4, valueSize: 8, maxEntries: 0 },
  flags: CreateFlag.NO_PREALLOC,
});

const value = (byte: number) => Buffer.alloc(8, byte);

function update(
  map: ObjectMap,
  objectKeys: readonly KeyInit[],
  values: Buffer,
  mode = UpdateMode.ANY,
) {
  const elements = { count: objectKeys.length, objectKeys: [...objectKeys], values };
  return daemon.client.maps.updateElements({ map: map.handle.ref, elements, mode });
}

async function lookup(map: ObjectMap, ...objectKeys: KeyInit[]) {
  const count = objectKeys.length;
  const { elements } = await daemon.client.maps.lookupElements({
    ...{ map: map.handle.ref, objectKeys, count },
  });
  return Buffer.from(elements!.values);
}

describe.each(STORAGES)("%s", (_, type, makeKeys) => {
  it("is made, filled, read and emptied by the objects that are its keys", async () => {
    const { keys } = await makeKeys();
    const map = await makeObjectMap(daemon, storage(type));
    expect(map.info.btfId).toBeGreaterThan(0);
    await update(map, keys, Buffer.concat([value(1), value(2)]));
    expect(await lookup(map, ...keys)).toEqual(Buffer.concat([value(1), value(2)]));
    await update(map, [keys[0]], value(3), UpdateMode.EXIST);
    expect(await lookup(map, keys[0])).toEqual(value(3));

    const ref = map.handle.ref;
    const deletion = { map: ref, objectKeys: [keys[1], keys[0]], count: 2 };
    expect(await daemon.client.maps.deleteElements(deletion)).toMatchObject({ applied: 2 });
    const again = { ...deletion, onError: OnError.CONTINUE };
    expect((await daemon.client.maps.deleteElements(again)).failures).toHaveLength(2);
    await expect(lookup(map, keys[0])).rejects.toMatchObject({ reason: "ELEMENT_NOT_FOUND" });
  });

  it("takes initial elements and loads", async () => {
    const { keys } = await makeKeys();
    const elements = { count: 1, objectKeys: [keys[0]], values: value(4) };
    const map = await makeObjectMap(daemon, storage(type), elements);
    expect(await lookup(map, keys[0])).toEqual(value(4));
    async function* stream() {
      yield { kind: { case: "start" as const, value: { map: map.handle.ref } } };
      const more = { count: 1, objectKeys: [keys[1]], values: value(5) };
      yield { kind: { case: "elements" as const, value: more } };
    }
    expect(await daemon.client.maps.loadMap(stream())).toMatchObject({ written: 1n });
    expect(await lookup(map, ...keys)).toEqual(Buffer.concat([value(4), value(5)]));
  });

  it("refuses whole what names one object that is not there", async () => {
    const { keys, absent } = await makeKeys();
    const map = await makeObjectMap(daemon, storage(type));
    await expect(update(map, [keys[0], absent], Buffer.alloc(16))).rejects.toMatchObject({
      reason: "OBJECT_NOT_FOUND",
    });
    await expect(lookup(map, keys[0])).rejects.toMatchObject({ reason: "ELEMENT_NOT_FOUND" });
  });

  it("refuses bytes for keys, and objects of another kind", async () => {
    const map = await makeObjectMap(daemon, storage(type));
    const bytes = { count: 1, keys: Buffer.alloc(4, 0), values: value(1) };
    await expect(
      daemon.client.maps.updateElements({ map: map.handle.ref, elements: bytes }),
    ).rejects.toMatchObject({ reason: "FIELD_INVALID", violations: [{ field: "elements.keys" }] });
    const attachment = { cgroup: { ref: { case: "id" as const, value: 1n } } };
    const other: KeyInit = { object: { case: "attachment", value: attachment } };
    await expect(update(map, [other], value(1))).rejects.toMatchObject({
      reason: "OBJECT_WRONG_KIND",
    });
  });

  it("cannot be listed", async () => {
    const map = await makeObjectMap(daemon, storage(type));
    await expect(map.handle.count()).rejects.toMatchObject({ reason: "OPERATION_NOT_SUPPORTED" });
  });

  it("takes a BTF of the client's instead of the daemon's own", async () => {
    const builder = new BtfBuilder();
    const int = builder.add({ kind: "int", name: "int", size: 4, signed: true });
    const word = builder.add({ kind: "int", name: "u64", size: 8 });
    const types = { btfKeyTypeId: int, btfValueTypeId: word };
    const map = await makeObjectMap(daemon, { ...storage(type), btf: builder.build(), ...types });
    expect(map.info).toMatchObject(types);
    const again = { ...storage(type), btfId: map.info.btfId, ...types };
    expect((await makeObjectMap(daemon, again)).info.btfId).toBe(map.info.btfId);
    // The kernel's own BTF has the lowest id, and is for no map.
    for (const wrong of [
      { ...again, valueSize: 4 },
      { ...again, btfId: 1 },
    ]) {
      await expect(makeObjectMap(daemon, wrong)).rejects.toMatchObject({ reason: "SPEC_INVALID" });
    }
  });
});

describe.each([
  ["CGROUP_STORAGE", MapType.CGROUP_STORAGE, 8],
  ["CGROUP_STORAGE by attach type", MapType.CGROUP_STORAGE, 16],
  ["PERCPU_CGROUP_STORAGE", MapType.PERCPU_CGROUP_STORAGE, 8],
] as const)("%s", (_, type, keySize) => {
  /** A map whose storage for a cgroup an attached program has made. */
  async function attached() {
    const map = await makeObjectMap(daemon, { type, keySize, valueSize: 8, maxEntries: 0 });
    const fd = mapFd(map);
    const program = loadProgram(
      { type: ProgramType.CGROUP_SKB, expectedAttachType: AttachType.CGROUP_INET_EGRESS },
      new Assembler().loadMap(R1, fd).mov(R2, 0).call("get_local_storage").return(1),
    );
    const cgroup = makeCgroup();
    const target = openCgroup(cgroup.path.slice(1));
    const attachType = AttachType.CGROUP_INET_EGRESS;
    const link = linkCreate({ programFd: program.fd, target: target.fd, attachType });
    onTestFinished(() => {
      closeFd(link);
      closeFd(target.fd);
    });
    const ref = { ref: { case: "path" as const, value: cgroup.path } };
    const attachment = keySize === 16 ? { cgroup: ref, attachType } : { cgroup: ref };
    const key: KeyInit = { object: { case: "attachment", value: attachment } };
    return { map, key, id: cgroup.id };
  }

  it("is written, read and listed by cgroup where a program is attached", async () => {
    const { map, key, id } = await attached();
    const stride = map.info.valueStride;
    await update(map, [key], Buffer.alloc(stride, 7));
    expect(await lookup(map, key)).toEqual(Buffer.alloc(stride, 7));
    const dumped: [Uint8Array, Uint8Array][] = [];
    for await (const element of map.handle.dump()) dumped.push(element);
    expect(dumped).toHaveLength(1);
    expect(Buffer.from(dumped[0]![0]).readBigUInt64LE()).toBe(id);
    await expect(map.handle.clear()).rejects.toMatchObject({ reason: "OPERATION_NOT_SUPPORTED" });
  });

  it("refuses to add what only the kernel adds", async () => {
    const { map, key } = await attached();
    const value = Buffer.alloc(map.info.valueStride);
    await update(map, [key], value, UpdateMode.EXIST);
    await expect(update(map, [key], value, UpdateMode.NOEXIST)).rejects.toMatchObject({
      reason: "FIELD_INVALID",
      violations: [{ field: "mode" }],
    });
  });

  it("has nothing for a cgroup without such a program", async () => {
    const map = await makeObjectMap(daemon, { type, keySize, valueSize: 8, maxEntries: 0 });
    const cgroup = { ref: { case: "path" as const, value: makeCgroup().path } };
    const key: KeyInit = { object: { case: "attachment", value: { cgroup } } };
    await expect(update(map, [key], Buffer.alloc(map.info.valueStride))).rejects.toMatchObject({
      reason: "ELEMENT_NOT_FOUND",
    });
  });
});

function mapFd(map: ObjectMap): number {
  const fd = mapGetFdById(map.id);
  onTestFinished(() => closeFd(fd));
  return fd;
}
