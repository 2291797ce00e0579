import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { MapType } from "@bpfmapd/client/proto";
import { describe, expect, onTestFinished, test } from "vitest";
import { u32 } from "../service/support/elements.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { WatchReader, watchRequest } from "../watch/support/watch-reader.js";
import { heldHash } from "./support/maps.js";
import { runDaemon, temporaryDirectory } from "./support/run.js";
import { ask, metricsAddress, scrape } from "./support/scrape.js";

const ON = ["--metrics-listen", "127.0.0.1:0"];
const MAP_SERVICE = { service: "bpfmap.v1.MapService" };

function metered(...args: string[]): Promise<TestDaemon> {
  return startDaemon({ args: [...ON, ...args] });
}

describe("metrics", () => {
  test("are served over HTTP at /metrics, and nothing else is", async () => {
    const daemon = await metered();
    const address = metricsAddress(daemon) as string;
    expect(await ask(address, "/metrics")).toMatchObject({
      status: 200,
      type: "text/plain; version=0.0.4; charset=utf-8",
    });
    expect(await ask(address, "/metrics?name[]=up")).toMatchObject({ status: 200 });
    expect(await ask(address, "/metrics", "HEAD")).toMatchObject({ status: 200, text: "" });
    expect(await ask(address, "/metrics", "POST")).toMatchObject({ status: 405 });
    expect(await ask(address, "/")).toMatchObject({ status: 404 });
    expect(await ask(address, "/metrics/../etc")).toMatchObject({ status: 404 });
    const metrics = await scrape(daemon);
    expect(metrics.value("bpfmapd_build_info", { version: "0.1.0" })).toBe(1);
    expect(metrics.value("process_resident_memory_bytes")).toBeGreaterThan(0);
    expect(metrics.value("process_open_fds")).toBeGreaterThan(0);
    expect(metrics.value("nodejs_eventloop_lag_seconds")).toBeGreaterThanOrEqual(0);
  });

  test("are served on a unix socket, which is as closed as the daemon's own", async () => {
    const path = join(temporaryDirectory(), "metrics.sock");
    const args = ["--metrics-listen", `unix:${path}`, "--socket-mode", "0600"];
    const daemon = await startDaemon({ args });
    expect(metricsAddress(daemon)).toBe(`unix:${path}`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect((await scrape(daemon)).value("bpfmapd_holds")).toBe(0);
    await daemon.stop();
    expect(() => statSync(path)).toThrow("ENOENT");
  });

  test("are off unless asked for: nothing listens", async () => {
    const daemon = await startDaemon();
    expect(metricsAddress(daemon)).toBeUndefined();
    expect(listeningSockets(daemon.pid)).toEqual(0);
    const on = await metered();
    expect(listeningSockets(on.pid)).toEqual(1);
  });

  test("do not keep the daemon from stopping while somebody is connected", async () => {
    const daemon = await metered();
    const address = metricsAddress(daemon) as string;
    const answer = await fetch(`http://${address}/metrics`, { keepalive: true });
    await answer.text();
    expect(await daemon.stop()).toBe(0);
  });

  test("at an address in use keep the daemon from starting", async () => {
    const address = metricsAddress(await metered()) as string;
    const socket = join(temporaryDirectory(), "d.sock");
    const other = await metered(); // for a bpffs of its own
    await other.stop();
    const args = ["--socket", socket, "--bpffs-root", other.bpffs, "--metrics-listen", address];
    const { code, stderr } = runDaemon(args);
    expect(code).toBe(3);
    expect(stderr).toContain(`${address} is in use`);
  });
});

describe("metrics of calls", () => {
  test("rise by exactly the calls that were made, by status", async () => {
    const daemon = await metered();
    const { client } = daemon;
    const map = await heldHash(client, "counted", 10);
    const before = await scrape(daemon);
    for (let key = 0; key < 7; key++) await map.lookup(u32(key));
    const lost = client.map({ held: "nothing" });
    for (let time = 0; time < 3; time++) await expect(lost.get()).rejects.toThrow("nothing");
    await client.host.getHost({});
    const after = await scrape(daemon);

    const rise = (name: string, labels: Record<string, string>) =>
      (after.value(name, labels) ?? 0) - (before.value(name, labels) ?? 0);
    const calls = (method: string, code: string, service = MAP_SERVICE.service) =>
      rise("bpfmapd_rpc_calls_total", { service, method, code });
    expect(calls("LookupElements", "OK")).toBe(7);
    expect(calls("GetMap", "NOT_FOUND")).toBe(3);
    expect(calls("GetMap", "OK")).toBe(0);
    expect(calls("GetHost", "OK", "bpfmap.v1.HostService")).toBe(1);

    const lookups = { ...MAP_SERVICE, method: "LookupElements" };
    expect(rise("bpfmapd_rpc_duration_seconds_count", lookups)).toBe(7);
    expect(rise("bpfmapd_rpc_duration_seconds_sum", lookups)).toBeGreaterThan(0);
    expect(rise("bpfmapd_rpc_duration_seconds_bucket", { ...lookups, le: "+Inf" })).toBe(7);
    expect(after.value("bpfmapd_rpc_in_flight", lookups)).toBe(0);
  });

  test("tell what grpc itself refuses, and what was cancelled", async () => {
    const daemon = await metered("--max-message-bytes", "64KiB");
    const { client } = daemon;
    const tooLong = client.map({ held: "x".repeat(70_000) });
    await expect(tooLong.get()).rejects.toThrow("limits.max_message_bytes");
    const map = await heldHash(client, "watched", 1);
    const reader = new WatchReader(client, watchRequest({ held: "watched" }));
    await reader.next();
    const watch = { ...MAP_SERVICE, method: "Watch" };
    expect((await scrape(daemon)).value("bpfmapd_rpc_in_flight", watch)).toBe(1);
    await reader.close();
    const ended = () => scrape(daemon).then((now) => now.value("bpfmapd_rpc_in_flight", watch));
    await expect.poll(ended).toBe(0);
    const metrics = await scrape(daemon);
    const calls = (labels: Record<string, string>) =>
      metrics.value("bpfmapd_rpc_calls_total", { ...MAP_SERVICE, ...labels });
    expect(calls({ method: "Watch", code: "CANCELLED" })).toBe(1);
    expect(calls({ method: "GetMap", code: "RESOURCE_EXHAUSTED" })).toBe(1);
    expect(metrics.value("bpfmapd_stream_queued_bytes", watch) ?? 0).toBe(0);
    await map.clear();
  });

  test("tell the elements and bytes that dumps and loads stream", async () => {
    const daemon = await metered();
    const map = await heldHash(daemon.client, "streamed", 2500);
    let dumped = 0;
    for await (const _ of map.dump()) dumped++;
    const metrics = await scrape(daemon);
    expect(dumped).toBe(2500);
    for (const method of ["LoadMap", "DumpMap"]) {
      const labels = { ...MAP_SERVICE, method };
      expect(metrics.value("bpfmapd_streamed_elements_total", labels)).toBe(2500);
      expect(metrics.value("bpfmapd_streamed_bytes_total", labels)).toBe(2500 * 8);
    }
    const dumps = { ...MAP_SERVICE, method: "DumpMap" };
    expect(metrics.value("bpfmapd_stream_queued_bytes", dumps)).toBe(0);
  });
});

describe("metrics of slow clients", () => {
  test("tell the bytes that wait for them, until they are gone", async () => {
    const daemon = await metered();
    await heldHash(daemon.client, "large", 3_000_000);
    const stop = new AbortController();
    const map = { ref: { case: "held" as const, value: "large" } };
    const dump = daemon.client.maps.dumpMap({ map, chunkBytes: 65_536 }, { signal: stop.signal });
    await dump[Symbol.asyncIterator]().next(); // and no more
    const queued = async () => {
      const labels = { ...MAP_SERVICE, method: "DumpMap" };
      return (await scrape(daemon)).value("bpfmapd_stream_queued_bytes", labels);
    };
    await expect.poll(queued, { timeout: 20_000 }).toBeGreaterThan(0);
    stop.abort();
    await expect.poll(queued, { timeout: 20_000 }).toBe(0);
  });
});

describe("metrics of held maps and scans", () => {
  test("are what is held now", async () => {
    const daemon = await metered("--scan-threads", "3");
    const { client } = daemon;
    await heldHash(client, "one", 1);
    const lease = { seconds: 600n };
    await client.maps.holdMap({
      map: { ref: { case: "held", value: "one" } },
      hold: { name: "again", lease },
    });
    await heldHash(client, "two", 1);
    const metrics = await scrape(daemon);
    expect(metrics.value("bpfmapd_held_maps")).toBe(2);
    expect(metrics.value("bpfmapd_holds")).toBe(3);
    expect(metrics.value("bpfmapd_leases")).toBe(1);
    expect(metrics.value("bpfmapd_scan_threads")).toBe(3);
    expect(metrics.value("bpfmapd_scans")).toBe(0);
    expect(metrics.value("bpfmapd_scan_threads_busy")).toBe(0);
    await client.maps.releaseMap({ name: "again" });
    expect((await scrape(daemon)).value("bpfmapd_holds")).toBe(2);
  });

  test("tell of a dump that runs", async () => {
    const daemon = await metered();
    const map = await heldHash(daemon.client, "slow", 2000);
    const dump = map.dump({ maxElementsPerSecond: 100, chunkBytes: 64 })[Symbol.asyncIterator]();
    onTestFinished(async () => void (await dump.return?.()));
    await dump.next();
    const metrics = await scrape(daemon);
    expect(metrics.value("bpfmapd_scans")).toBe(1);
    expect(metrics.value("bpfmapd_scan_threads_busy")).toBe(1);
  });
});

describe("metrics of watches", () => {
  test("tell subscribers, lag, scans and resyncs", async () => {
    const daemon = await metered();
    const { client } = daemon;
    const map = await heldHash(client, "seen", 3);
    const { id } = await map.get();
    const idle = await scrape(daemon);
    expect(idle.value("bpfmapd_watch_subscribers")).toBe(0);
    expect(idle.samples("bpfmapd_watch_lag_seconds")).toEqual([]);
    expect(idle.value("bpfmapd_watch_resyncs_total", { reason: "epoch_changed" })).toBe(0);

    const first = new WatchReader(client, watchRequest({ held: "seen" }));
    while ((await first.next())?.case !== "bookmark");
    const second = new WatchReader(client, watchRequest({ held: "seen" }));
    while ((await second.next())?.case !== "bookmark");
    const busy = await scrape(daemon);
    expect(busy.value("bpfmapd_watch_subscribers")).toBe(2);
    expect(busy.value("bpfmapd_watched_maps", { source: "poll" })).toBe(1);
    expect(busy.value("bpfmapd_watched_maps", { source: "trace" })).toBe(0);
    const [lag] = busy.samples("bpfmapd_watch_lag_seconds", { map_id: String(id) });
    expect(lag?.value).toBeGreaterThanOrEqual(0);
    const scans = busy.value("bpfmapd_watch_scan_duration_seconds_count") ?? 0;
    expect(scans).toBeGreaterThan(0);
    const more = () =>
      scrape(daemon).then((now) => now.value("bpfmapd_watch_scan_duration_seconds_count"));
    await expect.poll(more).toBeGreaterThan(scans);
    const sent = { ...MAP_SERVICE, method: "Watch" };
    expect(busy.value("bpfmapd_streamed_elements_total", sent)).toBe(6);

    const { token } = first;
    await first.close();
    await second.close();
    await daemon.restart();
    const resumed = new WatchReader(
      client,
      watchRequest({ held: "seen" }, { start: { case: "resumeToken", value: token } }),
    );
    while ((await resumed.next())?.case !== "resync");
    const after = await scrape(daemon);
    expect(after.value("bpfmapd_watch_resyncs_total", { reason: "epoch_changed" })).toBe(1);
    expect(after.value("bpfmapd_watch_resyncs_total", { reason: "overflow" })).toBe(0);
  });
});

describe("metrics of chosen maps", () => {
  const survey = (...args: string[]) => metered("--metrics-maps-interval-ms", "1000", ...args);

  /** The metrics after a round of counting that began after this call. */
  async function nextSurvey(daemon: TestDaemon) {
    const counted = async () =>
      (await scrape(daemon)).value("bpfmapd_maps_counted_timestamp_seconds") ?? 0;
    // One round may have begun before.
    for (let round = 0; round < 2; round++) {
      const last = await counted();
      await expect.poll(counted, { timeout: 30_000 }).toBeGreaterThan(last);
    }
    return scrape(daemon);
  }

  /** Names that no other test's maps have. */
  const unique = `m${process.pid}`;

  test("tell elements, room and fill as they are in the map", async () => {
    const daemon = await survey("--metrics-map", `${unique}_f*`, "--metrics-map", `${unique}_o?`);
    const { client, bpffs } = daemon;
    const make = (name: string, type: MapType, maxEntries: number) =>
      client.maps.createMap({
        spec: { type, name, keySize: 4, valueSize: 8, maxEntries },
        hold: { name },
        pinPath: `${bpffs}/${name}`,
      });
    const { map } = await make(`${unique}_f1`, MapType.HASH, 40);
    await make(`${unique}_o1`, MapType.ARRAY, 16);
    await make(`${unique}_no`, MapType.HASH, 10);
    const handle = client.map({ id: map?.id ?? 0 });
    for (let key = 0; key < 30; key++) await handle.update(u32(key), Buffer.alloc(8));

    const metrics = await nextSurvey(daemon);
    expect(metrics.samples("bpfmapd_map_elements").map(({ value }) => value)).toEqual([30, 16]);
    const labels = { map_id: String(map?.id) };
    expect(metrics.samples("bpfmapd_map_elements", labels)[0]?.labels).toEqual({
      ...labels,
      map_name: `${unique}_f1`,
      map_type: "hash",
      pin: `${bpffs}/${unique}_f1`,
      hold: `${unique}_f1`,
    });
    expect(metrics.value("bpfmapd_map_max_entries", labels)).toBe(40);
    expect(metrics.value("bpfmapd_map_fill_ratio", labels)).toBe(0.75);
    expect((await handle.count()).count).toBe(30n);

    for (let key = 0; key < 10; key++) await handle.delete(u32(key));
    expect((await nextSurvey(daemon)).value("bpfmapd_map_fill_ratio", labels)).toBe(0.5);

    await client.maps.unpinMap({ path: `${bpffs}/${unique}_f1` });
    await client.maps.releaseMap({ name: `${unique}_f1` });
    expect((await nextSurvey(daemon)).samples("bpfmapd_map_elements", labels)).toEqual([]);
  });

  test("are at most so many, and tell what has no count", async () => {
    const pattern = ["--metrics-map", `${unique}_c*`, "--metrics-max-maps", "2"];
    const daemon = await survey(...pattern);
    const create = (number: number, type: MapType, keySize: number) => {
      const name = `${unique}_c${number}`;
      const spec = { type, name, keySize, valueSize: 4, maxEntries: 4 };
      return daemon.client.maps.createMap({ spec, hold: { name } });
    };
    await create(0, MapType.QUEUE, 0);
    for (let number = 1; number < 6; number++) await create(number, MapType.HASH, 4);
    const metrics = await nextSurvey(daemon);
    const names = metrics.samples("bpfmapd_map_elements").map(({ labels }) => labels.map_name);
    expect(names).toEqual([`${unique}_c1`, `${unique}_c2`]);
    const uncounted = (reason: string) => metrics.value("bpfmapd_maps_not_counted", { reason });
    expect(uncounted("limit")).toBe(3);
    expect(uncounted("type")).toBe(1);
    expect(uncounted("failed")).toBe(0);
  });

  test("are none where no pattern is given", async () => {
    const daemon = await metered();
    await heldHash(daemon.client, "ignored", 3);
    expect((await scrape(daemon)).families.has("bpfmapd_map_elements")).toBe(false);
  });
});

/** TCP sockets of a process that listen. */
function listeningSockets(pid: number): number {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      } catch {
        return undefined; // closed meanwhile
      }
    }),
  );
  const LISTEN = "0A";
  const lines = ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "utf8").trim().split("\n").slice(1),
  );
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTEN && inodes.has(fields[9])).length;
}
