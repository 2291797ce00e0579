import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type BpfmapClient, connect } from "@bpfmapd/client";
import { MapType } from "@bpfmapd/client/proto";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { makeConfig } from "#dist/daemon/config.js";
import { capabilitiesToKeep } from "#dist/daemon/needed-capabilities.js";
import { u32Keys } from "../objects/support/maps.js";
import { SystemdHost } from "./support/systemd-host.js";

const UNITS = resolve(import.meta.dirname, "../../deploy/systemd");
const SOCKET = "/run/bpfmapd/bpfmapd.sock";
const unit = (name: string) => readFileSync(join(UNITS, name), "utf8");

describe("the units", () => {
  test("are what systemd understands", () => {
    const directory = mkdtempSync(join(tmpdir(), "bpfmapd-units-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    // Only the program is put where one is.
    const service = unit("bpfmapd.service").replace("/usr/bin/bpfmapd", process.execPath);
    writeFileSync(join(directory, "bpfmapd.service"), service);
    writeFileSync(join(directory, "bpfmapd.socket"), unit("bpfmapd.socket"));
    const files = ["bpfmapd.service", "bpfmapd.socket"].map((name) => join(directory, name));
    const verify = spawnSync("systemd-analyze", ["verify", ...files], { encoding: "utf8" });
    expect(verify.stderr).toBe("");
    expect(verify.status).toBe(0);
  });

  test("expose no more than a daemon with these capabilities must", () => {
    const file = join(UNITS, "bpfmapd.service");
    const args = ["security", "--offline=true", "--threshold=39", file];
    const { status, stdout } = spawnSync("systemd-analyze", args, { encoding: "utf8" });
    expect(stdout).toContain("Overall exposure level");
    expect(status).toBe(0);
  });

  test("leave the daemon exactly the capabilities that it needs", () => {
    const line = /^CapabilityBoundingSet=(.*)$/m.exec(unit("bpfmapd.service"))?.[1];
    const needed = capabilitiesToKeep(makeConfig([])) ?? [];
    expect(line?.split(" ").sort()).toEqual([...needed].sort());
  });

  test("listen where the daemon expects its socket", () => {
    const { listen } = makeConfig([]);
    expect(unit("bpfmapd.socket")).toContain(`ListenStream=${listen.unix.path}\n`);
  });
});

describe("under systemd", () => {
  let host: SystemdHost;
  let client: BpfmapClient;
  beforeAll(async () => {
    host = await SystemdHost.boot();
    client = connect({ address: host.address(SOCKET) });
  });
  afterAll(async () => {
    client?.close();
    await host?.dispose();
  });

  /** The daemon's process, by its id inside. */
  function mainPid(): number {
    const pid = Number(host.show("bpfmapd.service", "MainPID"));
    if (!(pid > 1)) throw new Error(`there is no daemon: ${host.log}`);
    return pid;
  }

  /** Resolves when another process is the daemon and serves. */
  async function restartedAfter(pid: number): Promise<void> {
    // For a moment the service is said to be active, and to have no process.
    const now = () => Number(host.show("bpfmapd.service", "MainPID"));
    const isActive = () => host.show("bpfmapd.service", "ActiveState") === "active";
    while (!isActive() || now() <= 1 || now() === pid) await delay(100);
  }

  /** What the held map has, as soon as the client has found the daemon again. */
  function heldValue() {
    const lookup = () => client.map({ held: "h" }).lookup(u32Keys(1));
    return vi.waitFor(lookup, { timeout: 60_000, interval: 100 });
  }

  test("the first call starts the daemon, which says when it is ready", async () => {
    expect(host.show("bpfmapd.service", "ActiveState")).toBe("inactive");
    await client.waitForReady(60_000);
    await client.host.getHost({});
    expect(host.show("bpfmapd.service", "ActiveState")).toBe("active");
    expect(host.log).toContain(`"listen":["unix:${SOCKET}"]`);
  });

  test("it has a seccomp filter and nothing to drop", () => {
    const status = host.run("cat", `/proc/${mainPid()}/status`);
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    const [effective, bounding] = ["CapEff", "CapBnd"].map(
      (set) => new RegExp(`^${set}:\t(.*)$`, "m").exec(status)?.[1],
    );
    expect(effective).toBe(bounding);
  });

  test("maps are created, filled, read, pinned and held", async () => {
    const { types } = await client.host.getCapabilities({});
    expect(types.length).toBeGreaterThan(20);
    const spec = { type: MapType.HASH, name: "h", keySize: 4, valueSize: 4, maxEntries: 100 };
    await client.maps.createMap({ spec, hold: { name: "h" } });
    const map = client.map({ held: "h" });
    await map.load([[u32Keys(1), u32Keys(2)]]);
    const dumped = [];
    for await (const [key] of map.dump()) dumped.push(Buffer.from(key).readUInt32LE());
    expect(dumped).toEqual([1]);
    await client.maps.pinMap({ map: map.ref, path: "/sys/fs/bpf/of_a_test" });
    expect(host.run("ls", "/sys/fs/bpf")).toContain("of_a_test");
    const { maps } = await client.maps.listMaps({ detail: { holders: true, pins: true } });
    const listed = maps.find(({ name }) => name === "h");
    expect(listed?.holders.map(({ pid }) => pid)).toContain(mainPid());
    expect(listed?.pinPaths).toContain("/sys/fs/bpf/of_a_test");

    expect(host.run("cat", "/var/log/bpfmapd/audit.jsonl")).toContain("MapService/PinMap");

    const devices = { type: MapType.DEVMAP, name: "d", keySize: 4, valueSize: 4, maxEntries: 4 };
    await client.maps.createMap({ spec: devices, hold: { name: "d" } });
    const events = { ...devices, type: MapType.PERF_EVENT_ARRAY, name: "p" };
    await client.maps.createMap({ spec: events, hold: { name: "p" } });
    const perfEvent = { ref: { case: "spec", value: { cpu: 0, type: 1, config: 0n } } } as const;
    await client.maps.updateElements({
      map: { ref: { case: "held", value: "p" } },
      elements: {
        ...{ count: 1, keys: u32Keys(0) },
        objectValues: [{ object: { case: "perfEvent", value: perfEvent } }],
      },
    });
  });

  test("it is started again after a crash, and its held maps are there", async () => {
    const pid = mainPid();
    host.run("kill", "-KILL", `${pid}`);
    await restartedAfter(pid);
    expect(await heldValue()).toEqual(new Uint8Array(u32Keys(2)));
  });

  test("it is started again when it hangs", async () => {
    const pid = mainPid();
    host.run("kill", "-STOP", `${pid}`);
    await restartedAfter(pid);
    expect(await heldValue()).toEqual(new Uint8Array(u32Keys(2)));
  });
});
