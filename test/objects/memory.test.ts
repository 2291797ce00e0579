import { CreateFlag, MapType } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { ArenaMapMemory, closeFd, mapGetFdById } from "#dist/kernel/index.js";
import { dumpByBpftool } from "../service/support/bpftool.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { dumpObjects, makeObjectMap, type ObjectMap, u32Keys } from "./support/maps.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

const ARRAY = {
  ...{ type: MapType.ARRAY, valueSize: 12, maxEntries: 1000, flags: CreateFlag.MMAPABLE },
};
const ARENA = {
  ...{ type: MapType.ARENA, keySize: 0, valueSize: 0, maxEntries: 4 },
  flags: CreateFlag.MMAPABLE,
};

/** A place of its own for each arena, where this process and the daemon have nothing. */
let places = 0n;
const place = () => (1n << 44n) + (places++ << 32n);

const read = async ({ handle }: ObjectMap, offset: number, length: number) =>
  Buffer.from(
    (await daemon.client.maps.readMemory({ map: handle.ref, offset: BigInt(offset), length })).data,
  );
const write = ({ handle }: ObjectMap, offset: number, data: Uint8Array) =>
  daemon.client.maps.writeMemory({ map: handle.ref, offset: BigInt(offset), data });

describe("the memory of an array", () => {
  it("is the elements' values, rounded up to 8 bytes each", async () => {
    const map = await makeObjectMap(daemon, ARRAY);
    await map.handle.update(u32Keys(3), Buffer.alloc(12, 3));
    expect(await read(map, 3 * 16, 12)).toEqual(Buffer.alloc(12, 3));
    await write(map, 999 * 16, Buffer.alloc(12, 9));
    expect(await map.handle.lookup(u32Keys(999))).toEqual(new Uint8Array(Buffer.alloc(12, 9)));
    expect(await read(map, 0, 16_000)).toHaveLength(16_000);
  });

  it.each([8, 12, 5000])("is what dumps and counts read, values of %i bytes", async (valueSize) => {
    const map = await makeObjectMap(daemon, { ...ARRAY, valueSize, maxEntries: 700 });
    const plain = await makeObjectMap(daemon, { ...ARRAY, valueSize, maxEntries: 700, flags: 0 });
    const value = (index: number) => Buffer.alloc(valueSize, index % 251);
    for (const { handle } of [map, plain]) {
      await handle.load(Array.from({ length: 700 }, (_, index) => [u32Keys(index), value(index)]));
    }
    expect(dumpByBpftool(map.id)).toEqual(dumpByBpftool(plain.id));
    const [mapped, walked] = [await dumpObjects(map), await dumpObjects(plain)];
    expect(Buffer.compare(mapped.keys as Buffer, walked.keys as Buffer)).toBe(0);
    expect(Buffer.compare(mapped.values as Buffer, walked.values as Buffer)).toBe(0);
    const match = { mask: Buffer.from([255]), match: Buffer.from([7]) };
    expect(await map.handle.count({ valueMatch: match })).toMatchObject({ count: 3n });
    await map.handle.freeze();
    expect((await dumpObjects(map)).count).toBe(700);
  });

  it.each([
    ["past the end", 15_999, 2, "length"],
    ["from past the end on", 16_001, 1, "offset"],
  ])("has nothing %s", async (_, offset, length, field) => {
    const map = await makeObjectMap(daemon, ARRAY);
    const refused = { reason: "FIELD_INVALID", violations: [{ field }] };
    await expect(read(map, offset, length)).rejects.toMatchObject(refused);
  });

  it("can only be read once the map is frozen", async () => {
    const map = await makeObjectMap(daemon, ARRAY);
    await map.handle.freeze();
    expect(await read(map, 0, 8)).toEqual(Buffer.alloc(8));
    await expect(write(map, 0, Buffer.alloc(1))).rejects.toMatchObject({ reason: "MAP_FROZEN" });
  });

  it("is there with MMAPABLE only, and not in other maps", async () => {
    const plain = await makeObjectMap(daemon, { ...ARRAY, flags: 0 });
    const hash = await makeObjectMap(daemon, { type: MapType.HASH });
    for (const map of [plain, hash]) {
      await expect(read(map, 0, 1)).rejects.toMatchObject({ reason: "OPERATION_NOT_SUPPORTED" });
    }
  });
});

describe("an ARENA", () => {
  it("is made, told, written and read, and shows what another process wrote", async () => {
    const map = await makeObjectMap(daemon, { ...ARENA, mapExtra: place() });
    expect(map.info).toMatchObject({ type: MapType.ARENA, maxEntries: 4, keySize: 0 });
    const text = Buffer.from("across the border of two pages");
    await write(map, 4090, text);
    expect(await read(map, 4090, text.length)).toEqual(text);

    const fd = mapGetFdById(map.id);
    onTestFinished(() => closeFd(fd));
    const memory = ArenaMapMemory.open(fd);
    onTestFinished(() => memory.unmap());
    expect(memory.read(4090, text.length)).toEqual(text);
    memory.write(2 * 4096, Buffer.from("here"));
    expect(await read(map, 2 * 4096, 4)).toEqual(Buffer.from("here"));
    expect(await read(map, 3 * 4096, 4096)).toEqual(Buffer.alloc(4096));
  });

  it("without an address is left to its owner to be mapped first, and then found", async () => {
    const map = await makeObjectMap(daemon, ARENA);
    await expect(read(map, 0, 8)).rejects.toMatchObject({ reason: "OBJECT_UNSUITABLE" });
    const fd = mapGetFdById(map.id);
    onTestFinished(() => closeFd(fd));
    const memory = ArenaMapMemory.open(fd);
    onTestFinished(() => memory.unmap());
    memory.write(0, Buffer.from("mine"));
    expect(await read(map, 0, 4)).toEqual(Buffer.from("mine"));
  });

  it("says of a page that is not there that it is not, with SEGV_ON_FAULT", async () => {
    const flags = CreateFlag.MMAPABLE | CreateFlag.SEGV_ON_FAULT;
    const map = await makeObjectMap(daemon, { ...ARENA, flags, mapExtra: place() });
    await expect(read(map, 0, 8)).rejects.toMatchObject({
      violations: [{ field: "offset", description: expect.stringContaining("SEGV_ON_FAULT") }],
    });
  });

  it("has nothing past its end, and no elements", async () => {
    const map = await makeObjectMap(daemon, { ...ARENA, mapExtra: place() });
    await expect(read(map, 4 * 4096 - 1, 2)).rejects.toMatchObject({ reason: "FIELD_INVALID" });
    await expect(map.handle.count()).rejects.toMatchObject({ reason: "OPERATION_NOT_SUPPORTED" });
  });
});
