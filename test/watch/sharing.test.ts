import { setTimeout as sleep } from "node:timers/promises";
import { BpfmapError, status } from "@bpfmapd/client";
import { ResyncReason, type WatchBookmark } from "@bpfmapd/client/proto";
import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type OpenMap, openMap } from "#dist/maps/index.js";
import { WatchHub } from "#dist/watch/index.js";
import { testHost } from "../maps/support/host.js";
import { makeMap as makeKernelMap } from "../maps/support/kernel-map.js";
import { hex, u32, u64 } from "../service/support/elements.js";
import { makeMap, shapeOf } from "../service/support/plain-map.js";
import { startDaemon } from "../support/daemon.js";
import { WatchReader, watchRequest } from "./support/watch-reader.js";

const LIMITS = {
  maxMaps: 2,
  maxWatches: 100,
  threads: 1,
  cpuShare: 1,
  historyBytes: 1 << 20,
  defaultIntervalMs: 10,
  minIntervalMs: 10,
  tracedIntervalMs: 10,
  traceRingBytes: 1 << 16,
};

/** Joins the feed of a map, to have it scanned every 10 ms. */
function join(hub: WatchHub, map: OpenMap) {
  const lease = hub.join(map);
  lease.want(10);
  return lease;
}

/** A hub, and how often it opens a map, which it does once a scan. */
async function testHub() {
  const { host } = await testHost();
  const hub = new WatchHub(host, LIMITS, Buffer.alloc(32));
  onTestFinished(() => hub.close());
  const opened = vi.spyOn(host, "openById");
  const openKernelMap = () => openMap(host, { by: "id", id: makeKernelMap("HASH").id });
  return { hub, opened, openKernelMap };
}

describe("feeds", () => {
  it("scan nothing while nobody watches", async () => {
    const { hub, opened, openKernelMap } = await testHub();
    const map = await openKernelMap();
    const lease = join(hub, map);
    map.close();
    while (!lease.feed.lastScan) await lease.feed.bell.next;
    lease.release();
    await sleep(50); // The scan that may run comes to its end.
    opened.mockClear();
    await sleep(200);
    expect(opened).not.toHaveBeenCalled();
  });

  it("that nobody watches make room for others, and those that are watched do not", async () => {
    const { hub, openKernelMap } = await testHub();
    const maps = await Promise.all([openKernelMap(), openKernelMap(), openKernelMap()]);
    join(hub, maps[0]!);
    const second = join(hub, maps[1]!);
    expect(() => join(hub, maps[2]!)).toThrow(/watch\.max_maps/);
    second.release();
    join(hub, maps[2]!);
    for (const map of maps) map.close();
  });

  it("of one map never give a revision twice, however often they are made anew", async () => {
    const { hub, openKernelMap } = await testHub();
    const maps = await Promise.all([openKernelMap(), openKernelMap(), openKernelMap()]);
    const first = join(hub, maps[0]!);
    const before = first.feed.history.latest;
    first.release();
    join(hub, maps[1]!);
    join(hub, maps[2]!).release();
    const again = join(hub, maps[0]!);
    expect(again.feed).not.toBe(first.feed);
    expect(again.feed.history.latest).toBeGreaterThan(before);
    expect(again.feed.history.after(before)).toBeUndefined();
    for (const map of maps) map.close();
  });
});

describe("subscribers of one map", () => {
  it("share its scans, a thousand of them", async () => {
    const daemon = await startDaemon();
    const map = await makeMap(daemon, shapeOf("HASH"));
    await map.handle.update(u32(1), u64(1));
    const intervals = {
      pollInterval: durationFromMs(200),
      bookmarkInterval: durationFromMs(100),
    };
    const request = watchRequest({ id: map.id }, intervals);
    const watches = Array.from({ length: 1000 }, () => new WatchReader(daemon.client, request));
    await Promise.all(watches.map((watch) => watch.synced()));
    const bookmarks: WatchBookmark[] = await Promise.all(
      watches.map((watch) => watch.until("bookmark")),
    );
    await map.handle.update(u32(2), u64(2));
    await Promise.all(
      watches.map((watch) => watch.untilHolds(() => watch.contents.has(hex(u32(2))))),
    );
    // Bookmarks may have waited since the first watches began, so the scans count from there.
    const scans = new Set(bookmarks.map(({ scanStarted }) => timestampMs(scanStarted!)));
    expect(scans.size).toBeLessThanOrEqual((Date.now() - Math.min(...scans)) / 200 + 2);
  });

  it("are refused past watch.max_watches, until another one ends", async () => {
    const daemon = await startDaemon({ args: ["--max-watches", "1"] });
    const map = await makeMap(daemon, shapeOf("HASH"));
    const first = new WatchReader(daemon.client, watchRequest({ id: map.id }));
    await first.synced();
    const second = new WatchReader(daemon.client, watchRequest({ id: map.id }));
    const error = await second.next().then(() => expect.fail("not refused"), BpfmapError.from);
    expect(error).toMatchObject({ code: status.RESOURCE_EXHAUSTED, reason: "LIMIT_EXCEEDED" });
    expect(error.message).toContain("watch.max_watches");
    first.close();
    for (;;) {
      const third = new WatchReader(daemon.client, watchRequest({ id: map.id }));
      const isTaken = await third.synced().then(
        () => true,
        () => false,
      );
      if (isTaken) break;
      await sleep(20);
    }
  });

  it("do not wait for one that does not read, which converges when it does", async () => {
    const daemon = await startDaemon({ args: ["--watch-history-bytes", "1MiB"] });
    const map = await makeMap(daemon, shapeOf("HASH", { valueSize: 1024, maxEntries: 5000 }));
    const value = (number: number) => Buffer.alloc(1024, number);
    const slow = new WatchReader(daemon.client, watchRequest({ id: map.id }));
    const quick = new WatchReader(daemon.client, watchRequest({ id: map.id }));
    await Promise.all([slow.synced(), quick.synced()]);
    const last = 12;
    for (let round = 1; round <= last; round++) {
      await map.handle.load(range(4000, value(round)));
      // Only one of the two reads.
      await quick.untilHolds(() => holdsAll(quick, 4000, value(round)));
    }
    let overflows = 0;
    while (!holdsAll(slow, 4000, value(last))) {
      const message = await slow.next();
      if (message?.case === "resync" && message.value.reason === ResyncReason.OVERFLOW) overflows++;
    }
    expect(overflows).toBeGreaterThan(0);
  });

  it("end with UNAVAILABLE DAEMON_STOPPING when the daemon stops", async () => {
    const daemon = await startDaemon();
    const map = await makeMap(daemon, shapeOf("HASH"));
    const watch = new WatchReader(daemon.client, watchRequest({ id: map.id }));
    await watch.synced();
    const ended = watch.until("mapGone").then(() => expect.fail("map_gone"), BpfmapError.from);
    expect(await daemon.stop()).toBe(0);
    expect(await ended).toMatchObject({ code: status.UNAVAILABLE, reason: "DAEMON_STOPPING" });
  });
});

function* range(count: number, value: Buffer): Generator<[Buffer, Buffer]> {
  for (let index = 0; index < count; index++) yield [u32(index), value];
}

function holdsAll({ contents }: WatchReader, count: number, value: Buffer): boolean {
  const shown = hex(value);
  return contents.size === count && [...contents.values()].every((one) => one === shown);
}
