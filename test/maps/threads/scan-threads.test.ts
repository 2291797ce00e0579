import { readdirSync, readlinkSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { clearMap, countElements, dumpMap, loadMap, type MapHost } from "#dist/maps/index.js";
import { columnsOf, range } from "../support/elements.js";
import { testHost } from "../support/host.js";
import { Hand, makeMap } from "../support/kernel-map.js";
import { eventually, expectFailure } from "../support/outcome.js";

/** The fds of maps that this process has open. */
function openMaps(): number {
  const links = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ""; // the fd of the directory itself
    }
  });
  return links.filter((link) => link === "anon_inode:bpf-map").length;
}

function largeMap() {
  const map = makeMap("HASH", { maxEntries: 20_000 });
  const hand = new Hand(map);
  for (const [key, value] of range(map.layout, 0, 20_000)) hand.update(key, value);
  return map;
}

function dump(host: MapHost, id: number, signal: AbortSignal) {
  const room = { before: 0, between: 0 };
  const request = { map: { by: "id", id }, projection: "keys", chunkBytes: 400, room } as const;
  return dumpMap(host, request, signal);
}

describe("a dump that is left before its end", () => {
  it("by its signal gives back its job and its fd", async () => {
    const { host } = await testHost();
    const { id } = largeMap();
    const before = openMaps();
    const abort = new AbortController();
    const read = async () => {
      let chunks = 0;
      for await (const { kind } of dump(host, id, abort.signal)) {
        if (kind === "chunk" && ++chunks === 10) abort.abort(new RangeError("the client left"));
      }
    };
    await expect(read()).rejects.toThrow("the client left");
    expect(host.threads.jobCount).toBe(0);
    expect(openMaps()).toBe(before);
  });

  it("by its consumer gives back its job and its fd, at whatever item", async () => {
    const { host } = await testHost();
    const { id } = largeMap();
    const before = openMaps();
    for (const most of [1, 2, 3, 30]) {
      let items = 0;
      for await (const _ of dump(host, id, new AbortController().signal)) {
        if (++items === most) break;
      }
    }
    expect(host.threads.jobCount).toBe(0);
    expect(openMaps()).toBe(before);
  });

  it("many times over leaves nothing", async () => {
    const { host } = await testHost();
    const { id } = largeMap();
    const before = openMaps();
    for (let round = 0; round < 40; round++) {
      const abort = new AbortController();
      const items = dump(host, id, abort.signal);
      for (let item = 0; item < round % 5; item++) await items.next();
      abort.abort(new RangeError("the client left"));
      await items.return(undefined).catch(() => {});
    }
    expect(host.threads.jobCount).toBe(0);
    expect(openMaps()).toBe(before);
  });
});

describe("the end of a host", () => {
  it("ends dumps, loads, counts and clears with DAEMON_STOPPING, and closes every fd", async () => {
    const { host } = await testHost();
    const map = largeMap();
    const ref = { by: "id", id: map.id } as const;
    const before = openMaps();
    const { signal } = new AbortController();
    const items = dump(host, map.id, signal);
    await items.next();
    await items.next();
    async function* endless() {
      for (;;) yield columnsOf(range(map.layout, 0, 100));
    }
    const start = { map: ref, strategy: "merge", dryRun: false } as const;
    const load = loadMap(host, start, endless(), signal);
    const loaded = expectFailure(load, "DAEMON_STOPPING");
    await eventually(() => host.threads.jobCount).toBe(2);
    await host.threads.close();
    await loaded;
    const rest = async () => {
      for await (const _ of items);
    };
    await expectFailure(rest(), "DAEMON_STOPPING");
    await expectFailure(countElements(host, ref, undefined, signal), "DAEMON_STOPPING");
    await expectFailure(clearMap(host, ref, signal), "DAEMON_STOPPING");
    expect(openMaps()).toBe(before);
  });
});

describe("limits.max_scans", () => {
  it("is answered LIMIT_EXCEEDED for one dump more", async () => {
    const { host } = await testHost({ limits: { maxScans: 1 } });
    const { id } = largeMap();
    const { signal } = new AbortController();
    const first = dump(host, id, signal);
    await first.next();
    await first.next();
    const second = async () => {
      for await (const _ of dump(host, id, signal));
    };
    await expectFailure(second(), "LIMIT_EXCEEDED");
    await first.return(undefined);
    await second();
  });
});
