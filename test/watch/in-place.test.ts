import { setTimeout as sleep } from "node:timers/promises";
import { CreateFlag } from "@bpfmapd/client/proto";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { ArrayMemory, closeFd, mapGetFdById } from "#dist/kernel/index.js";
import { mapExists } from "../service/support/bpftool.js";
import { hex, u32, u64 } from "../service/support/elements.js";
import { makeMap, type PlainMap, shapeOf } from "../service/support/plain-map.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { WatchReader, watchRequest } from "./support/watch-reader.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

function mappableArray(maxEntries: number, valueSize = 8): Promise<PlainMap> {
  const flags = CreateFlag.MMAPABLE;
  return makeMap(daemon, shapeOf("ARRAY", { valueSize, maxEntries, flags }));
}

/** The values of a map as a program of another process would write them: without any call. */
function writableMemory(map: PlainMap): ArrayMemory {
  const fd = mapGetFdById(map.id)!;
  const memory = ArrayMemory.open(fd, { writable: true });
  closeFd(fd);
  onTestFinished(() => memory.unmap());
  return memory;
}

function watchOf(map: PlainMap): WatchReader {
  const request = watchRequest({ id: map.id }, { pollInterval: durationFromMs(10) });
  return new WatchReader(daemon.client, request);
}

/** What the memory holds, as a subscriber shows it. */
function contentsOf({ bytes, stride }: ArrayMemory, { valueSize }: PlainMap["shape"]) {
  const contents = new Map<string, string>();
  for (let index = 0; index * stride < bytes.length; index++) {
    const value = bytes.subarray(index * stride, index * stride + valueSize);
    contents.set(hex(u32(index)), hex(value));
  }
  return contents;
}

describe("a watch of a BPF_F_MMAPABLE array", () => {
  it.each([4, 8, 12, 5000])("tells writes to its memory, of values of %i bytes", async (size) => {
    const map = await mappableArray(100, size);
    const memory = writableMemory(map);
    memory.bytes.writeUInt32LE(0x11, 7 * memory.stride);
    const watch = watchOf(map);
    await watch.synced();
    expect(watch.contents).toEqual(contentsOf(memory, map.shape));
    memory.bytes.writeUInt8(0x22, 99 * memory.stride + size - 1);
    memory.bytes.writeUInt32LE(0, 7 * memory.stride);
    await watch.untilHolds(() => watch.contents.get(hex(u32(99)))!.endsWith("22"));
    await watch.untilHolds(() => watch.contents.get(hex(u32(7)))!.startsWith("00"));
    expect(watch.contents).toEqual(contentsOf(memory, map.shape));
    expect(watch.takeRows()).toHaveLength(2);
  });

  it("is right in the end where it is written while it is compared", async () => {
    const map = await mappableArray(20_000, 12);
    const memory = writableMemory(map);
    const watch = watchOf(map);
    await watch.synced();
    let value = 0;
    for (let round = 0; round < 40; round++) {
      for (let write = 0; write < 3000; write++) {
        const index = (write * 7919 + round) % 20_000;
        memory.bytes.writeUInt32LE(++value, index * memory.stride + (write % 3) * 4);
      }
      await sleep(5);
    }
    memory.bytes.writeUInt32LE(0xffffffff, 0);
    await watch.untilHolds(() => watch.contents.get(hex(u32(0)))!.startsWith("ffffffff"));
    await watch.until("bookmark");
    await watch.until("bookmark");
    expect(watch.contents).toEqual(contentsOf(memory, map.shape));
  });

  it("tells the service's writes in order, whoever else writes", async () => {
    const map = await mappableArray(100);
    const memory = writableMemory(map);
    const watch = watchOf(map);
    await watch.synced();
    for (let round = 1; round <= 20; round++) {
      await map.handle.update(u32(3), u64(round));
      memory.bytes.writeUInt32LE(round, 4 * memory.stride);
      await watch.untilHolds(() =>
        [3, 4].every((index) => watch.contents.get(hex(u32(index))) === hex(u64(round))),
      );
    }
    const written = watch.takeRows().filter(({ key }) => key === hex(u32(3)));
    // One that a scan has told first may come again, but none after a newer one.
    const shown = written.map((row) => row.shown);
    expect(shown.filter((value, index) => value !== shown[index - 1])).toEqual(
      Array.from({ length: 20 }, (_, round) => hex(u64(round + 1))),
    );
  });

  it("goes on once it is frozen, and lets it be frozen", async () => {
    const map = await mappableArray(100);
    const watch = watchOf(map);
    await watch.synced();
    await map.handle.update(u32(1), u64(1));
    await daemon.client.maps.freezeMap({ map: { ref: { case: "id", value: map.id } } });
    await watch.untilHolds(() => watch.contents.get(hex(u32(1))) === hex(u64(1)));
    const second = watchOf(map);
    await second.untilHolds(() => second.contents.get(hex(u32(1))) === hex(u64(1)));
  });

  it("keeps it no longer than others do", async () => {
    const map = await mappableArray(100_000);
    const watch = watchOf(map);
    await watch.synced();
    await daemon.client.maps.releaseMap({ name: map.hold });
    await daemon.client.maps.unpinMap({ path: map.pinPath });
    expect((await watch.until("mapGone")).id).toBe(map.id);
    while (mapExists(map.id)) await sleep(20);
  });
});

describe("a dump of a BPF_F_MMAPABLE array", () => {
  it.each([4, 8, 12])("has what is in its memory, of values of %i bytes", async (size) => {
    const map = await mappableArray(50_000, size);
    const memory = writableMemory(map);
    for (let index = 0; index < 50_000; index++) {
      memory.bytes.writeUInt32LE(index * 3, index * memory.stride);
    }
    const dump = new Map<string, string>();
    for await (const [key, value] of map.handle.dump()) dump.set(hex(key), hex(value));
    expect(dump).toEqual(contentsOf(memory, map.shape));
  });
});
