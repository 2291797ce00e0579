import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, mapRef } from "@bpfmapd/client";
import { expect, it, onTestFinished, vi } from "vitest";
import { mapExists } from "../service/support/bpftool.js";
import { mountPrivateBpffs, startDaemon, type TestDaemon } from "../support/daemon.js";
import { elements, FaultStage, u32, valueAt } from "./support/fault-stage.js";

const HASH = { type: 1, keySize: 4, valueSize: 8, maxEntries: 16 };
const errors = ({ logs }: TestDaemon) => logs.filter(({ level }) => level === "error");

it("a bpffs that is unmounted underneath takes the pins, and no held map", async () => {
  const daemon = await startDaemon();
  const { maps } = daemon.client;
  const { map } = await maps.createMap({ spec: HASH, hold: { name: "held" } });
  const held = daemon.client.map({ held: "held" });
  await held.update(u32(1), valueAt(1, 0));
  const pinned = await FaultStage.set(daemon);

  execFileSync("umount", ["-l", daemon.bpffs]);
  expect(await held.lookup(u32(1))).toEqual(new Uint8Array(valueAt(1, 0)));
  const path = `${daemon.bpffs}/new`;
  const lost = [
    () => daemon.client.map({ pinPath: pinned.pin }).get(),
    () => maps.pinMap({ map: mapRef({ id: map!.id }), path }),
    () => maps.unpinMap({ path: pinned.pin }),
  ];
  for (const call of lost) {
    await expect(call()).rejects.toMatchObject({ reason: "PIN_PATH_INVALID" });
  }
  // A hold that would not outlive the daemon is none.
  await expect(
    maps.holdMap({ map: mapRef({ id: map!.id }), hold: { name: "again" } }),
  ).rejects.toMatchObject({ reason: "HOLDS_UNAVAILABLE" });

  mountPrivateBpffs(daemon.bpffs);
  await maps.pinMap({ map: mapRef({ id: map!.id }), path });
  await maps.holdMap({ map: mapRef({ id: map!.id }), hold: { name: "again" } });
  // What pinned the old bpffs is gone, too.
  await vi.waitFor(() => expect(mapExists(pinned.id)).toBe(false));
  await daemon.kill();
  await daemon.restart();
  expect(await held.lookup(u32(1))).toEqual(new Uint8Array(valueAt(1, 0)));
  expect((await daemon.client.map({ held: "again" }).get()).id).toBe(map!.id);
  expect(errors(daemon)).toEqual([]);
});

it("a daemon without file descriptors says so, and serves when it has some again", async () => {
  const daemon = await startDaemon();
  const stage = await FaultStage.set(daemon);
  const few = (limit: number) =>
    execFileSync("prlimit", ["--pid", `${daemon.pid}`, `--nofile=${limit}:1024`]);
  few(lowestFree(daemon.pid));
  const refused = { reason: "FILE_DESCRIPTORS" };
  await expect(stage.handle.lookup(u32(1))).rejects.toMatchObject(refused);
  // No thread can be started for it, either.
  await expect(stage.handle.load(elements(0, 4, 1))).rejects.toMatchObject(refused);
  await expect(
    daemon.client.maps.createMap({ spec: HASH, hold: { name: "h" } }),
  ).rejects.toMatchObject(refused);
  const late = connect({ address: `unix:${daemon.socket}` });
  onTestFinished(() => late.close());
  const waiting = late.host.getHost({}, { deadlineMs: 20_000 });
  waiting.catch(() => {});
  few(1024);
  expect(await stage.handle.lookup(u32(1))).toEqual(new Uint8Array(valueAt(1, 0)));
  await late.host.getHost({}, { deadlineMs: 20_000 });
  await waiting.catch(() => {});
  expect(errors(daemon)).toEqual([]);
});

/** The number that the next file descriptor of a process gets. */
function lowestFree(pid: number): number {
  const taken = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let fd = 0;
  while (taken.has(fd)) fd++;
  return fd;
}

it("a clock that jumps ends no lease early, and none late", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bpfmapd-clock-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const clock = join(directory, "clock");
  const jump = (offset: string) => writeFileSync(clock, `${offset}\n`);
  jump("+0");
  const daemon = await startDaemon({
    env: {
      LD_PRELOAD: "/usr/$LIB/faketime/libfaketimeMT.so.1",
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
  });
  const { maps } = daemon.client;
  const hold = async (name: string, seconds: number) => {
    const lease = { seconds: BigInt(seconds) };
    return (await maps.createMap({ spec: HASH, hold: { name, lease } })).map!.id;
  };
  const expiry = async (name: string) => {
    const { holds } = await daemon.client.map({ held: name }).get();
    return Number(holds[0]!.expiresAt!.seconds);
  };
  const [long, short] = [await hold("long", 3600), await hold("short", 2)];
  const before = await expiry("long");
  jump("+2d");
  // The daemon sees the jump, or this proves nothing.
  await vi.waitFor(async () => expect(await expiry("long")).toBeGreaterThan(before + 86_400));
  expect((await daemon.client.map({ held: "long" }).get()).id).toBe(long);
  jump("-2d");
  await vi.waitFor(() => expect(mapExists(short)).toBe(false), { timeout: 20_000, interval: 100 });
  expect((await daemon.client.map({ held: "long" }).get()).id).toBe(long);
  await maps.keepAlive({ names: ["long"] });
  expect(errors(daemon)).toEqual([]);
});
