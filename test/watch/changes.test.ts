import { CpuFold, Projection, WatchSource, WatchStart } from "@bpfmapd/client/proto";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, it } from "vitest";
import { bpftool, dataWords } from "../service/support/bpftool.js";
import { hex, prefix, u32, u64 } from "../service/support/elements.js";
import { makeMap, shapeOf } from "../service/support/plain-map.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { WatchReader, watchRequest } from "./support/watch-reader.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

/** Writes an element behind the service's back. */
function writeByBpftool(id: number, key: Buffer, value: Buffer): void {
  bpftool("map", "update", "id", `${id}`, "key", ...dataWords(key), "value", ...dataWords(value));
}

function deleteByBpftool(id: number, key: Buffer): void {
  bpftool("map", "delete", "id", `${id}`, "key", ...dataWords(key));
}

describe("a watch", () => {
  it("names the map, tells its contents, then changes by anybody", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    await map.handle.update(u32(1), u64(1));
    const watch = new WatchReader(daemon.client, watchRequest({ id: map.id }));
    await watch.synced();
    expect(watch.created).toMatchObject({ valueStride: 8, source: WatchSource.POLL });
    expect(watch.created.map?.id).toBe(map.id);
    expect(watch.created.epoch).toHaveLength(16);
    expect(watch.created.sourceReason).not.toBe("");
    expect([...watch.contents]).toEqual([[hex(u32(1)), hex(u64(1))]]);

    await map.handle.update(u32(2), u64(2));
    await watch.untilHolds(() => watch.contents.has(hex(u32(2))));
    writeByBpftool(map.id, u32(3), u64(3));
    await watch.untilHolds(() => watch.contents.has(hex(u32(3))));
    deleteByBpftool(map.id, u32(1));
    await watch.untilHolds(() => !watch.contents.has(hex(u32(1))));
    await map.handle.delete(u32(2));
    await watch.untilHolds(() => watch.contents.size === 1);
  });

  it("that begins with changes tells each that is made once it said that it watches", async () => {
    const map = await makeMap(daemon, shapeOf("HASH", { maxEntries: 50_000 }));
    await map.handle.load(Array.from({ length: 40_000 }, (_, index) => [u32(index), u64(0)]));
    for (let round = 1; round <= 5; round++) {
      for await (const event of map.handle.watch({ updatesOnly: true })) {
        if (event.type === "created") writeByBpftool(map.id, u32(7), u64(round));
        if (event.type === "put") {
          expect([hex(event.key), hex(event.value)]).toEqual([hex(u32(7)), hex(u64(round))]);
          break;
        }
      }
    }
  });

  it("tells a write of the service without waiting for the next scan", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    const hour = { pollInterval: { seconds: 3600n } };
    const watch = new WatchReader(daemon.client, watchRequest({ id: map.id }, hour));
    await watch.synced();
    await map.handle.update(u32(1), u64(1));
    await watch.untilHolds(() => watch.contents.has(hex(u32(1))));
    await map.handle.load([[u32(2), u64(2)]]);
    await watch.untilHolds(() => watch.contents.has(hex(u32(2))));
    await map.handle.delete(u32(1));
    await watch.untilHolds(() => !watch.contents.has(hex(u32(1))));
    await map.handle.clear();
    await watch.untilHolds(() => watch.contents.size === 0);
  });

  it("says nothing of a delete through the service that found no element", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    const watch = new WatchReader(daemon.client, watchRequest({ id: map.id }));
    await watch.synced();
    expect(await map.handle.delete(u32(9))).toBe(false);
    await map.handle.update(u32(1), u64(1));
    await watch.untilHolds(() => watch.contents.has(hex(u32(1))));
    expect(watch.takeRows().map(({ key }) => key)).toEqual([hex(u32(1))]);
  });

  it("sends bookmarks on their interval though nothing changes, of newer and newer scans", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    const watch = new WatchReader(daemon.client, watchRequest({ id: map.id }));
    const first = await watch.synced();
    await watch.until("bookmark");
    const third = await watch.until("bookmark");
    expect(third.revision).toBe(first.revision);
    expect(timestampMs(third.scanStarted!)).toBeGreaterThan(timestampMs(first.scanStarted!));
  });

  it("begins with changes where it is asked to", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    await map.handle.update(u32(1), u64(1));
    const start = { case: "from" as const, value: WatchStart.UPDATES };
    const watch = new WatchReader(daemon.client, watchRequest({ id: map.id }, { start }));
    const bookmark = await watch.until("bookmark");
    expect(bookmark.snapshotDone).toBe(false);
    await map.handle.update(u32(2), u64(2));
    await watch.untilHolds(() => watch.contents.size > 0);
    expect([...watch.contents.keys()]).toEqual([hex(u32(2))]);
  });

  it("sends keys only where it is asked to", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    await map.handle.update(u32(1), u64(1));
    const projection = Projection.KEYS;
    const watch = new WatchReader(daemon.client, watchRequest({ id: map.id }, { projection }));
    await watch.synced();
    expect(watch.created.valueStride).toBe(0);
    expect([...watch.contents]).toEqual([[hex(u32(1)), ""]]);
  });

  it("sends the values before where it is asked to", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    await map.handle.update(u32(1), u64(1));
    await map.handle.update(u32(2), u64(2));
    const previousValues = true;
    const watch = new WatchReader(daemon.client, watchRequest({ id: map.id }, { previousValues }));
    await watch.synced();
    writeByBpftool(map.id, u32(1), u64(10));
    writeByBpftool(map.id, u32(3), u64(3));
    deleteByBpftool(map.id, u32(2));
    await watch.untilHolds(() => !watch.contents.has(hex(u32(2))) && watch.contents.size === 2);
    const byKey = new Map(watch.takeRows().map((row) => [row.key, row.previous]));
    expect(byKey.get(hex(u32(1)))).toBe(hex(u64(1)));
    expect(byKey.get(hex(u32(2)))).toBe(hex(u64(2)));
    expect(byKey.get(hex(u32(3)))).toBeUndefined();
  });
});

describe("a watch of a per-CPU map", () => {
  it("tells one CPU's slot, and nothing where only others change", async () => {
    const map = await makeMap(daemon, shapeOf("PERCPU_HASH"));
    await map.handle.update(u32(1), u64(1), { allCpus: true });
    const cpuView = { view: { case: "cpu" as const, value: 1 } };
    const watch = new WatchReader(daemon.client, watchRequest({ id: map.id }, { cpuView }));
    const whole = new WatchReader(daemon.client, watchRequest({ id: map.id }));
    await Promise.all([watch.synced(), whole.synced()]);
    expect([...watch.contents.values()]).toEqual([hex(u64(1))]);

    // Through bpf(2), as its own writes the service tells uncompared.
    const values = Buffer.concat([u64(7), u64(1)]);
    await map.handle.load([[u32(1), values]]);
    await whole.untilHolds(() => [...whole.contents.values()].includes(hex(values)));
    await map.handle.load([[u32(1), Buffer.concat([u64(7), u64(2)])]]);
    await watch.untilHolds(() => [...watch.contents.values()].includes(hex(u64(2))));
    expect(watch.takeRows().map(({ shown }) => shown)).toEqual([hex(u64(2))]);
  });

  it("tells values folded over the CPUs", async () => {
    const map = await makeMap(daemon, shapeOf("PERCPU_HASH"));
    await map.handle.update(u32(1), Buffer.concat([u64(3), u64(4)]));
    const cpuView = { view: { case: "fold" as const, value: CpuFold.SUM_U64 } };
    const watch = new WatchReader(daemon.client, watchRequest({ id: map.id }, { cpuView }));
    await watch.synced();
    expect(watch.created.valueStride).toBe(8);
    expect([...watch.contents.values()]).toEqual([hex(u64(7))]);
  });
});

describe("a filter", () => {
  const filters = [
    ["keys", { keys: Buffer.concat([u32(0x0101), u32(0x0202)]) }, [0x0101, 0x0202]],
    ["a prefix", { keyPrefix: Buffer.of(1) }, [0x0101, 0x0201]],
    ["a range", { keyRange: { start: u32(0x0101), end: u32(0x0102) } }, [0x0101, 0x0201]],
    [
      "all parts at once",
      { keyPrefix: Buffer.of(1), keys: Buffer.concat([u32(0x0101), u32(0x0202)]) },
      [0x0101],
    ],
  ] as const;

  it.each(filters)("by %s holds for the snapshot and for changes", async (_, filter, chosen) => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    const all = [0x0101, 0x0201, 0x0102, 0x0202];
    const elements = (value: number) => all.map((key) => [u32(key), u64(value)] as const);
    await map.handle.updateMany(elements(1));
    const watch = new WatchReader(daemon.client, watchRequest({ id: map.id }, { filter }));
    await watch.synced();
    const told = (value: number) => new Map(chosen.map((key) => [hex(u32(key)), hex(u64(value))]));
    expect(watch.contents).toEqual(told(1));
    await map.handle.updateMany(elements(2));
    await watch.untilHolds(() => [...watch.contents.values()].every((one) => one === hex(u64(2))));
    expect(watch.contents).toEqual(told(2));
    await map.handle.deleteMany(all.map((key) => u32(key)));
    await watch.untilHolds(() => watch.contents.size === 0);
    expect(watch.takeRows()).toHaveLength(chosen.length * 2);
  });

  it("by a covering prefix chooses the prefixes of a trie under it", async () => {
    const map = await makeMap(daemon, shapeOf("LPM_TRIE"));
    const inside = [prefix(8, [10]), prefix(12, [10, 0x10]), prefix(32, [10, 1, 2, 3])];
    const outside = [prefix(0, []), prefix(4, [0]), prefix(8, [11]), prefix(32, [12, 1, 2, 3])];
    await map.handle.updateMany([...inside, ...outside].map((key) => [key, u64(1)] as const));
    const filter = { coveredBy: prefix(8, [10]) };
    const watch = new WatchReader(daemon.client, watchRequest({ id: map.id }, { filter }));
    await watch.synced();
    expect([...watch.contents.keys()].sort()).toEqual(inside.map(hex).sort());
  });
});
