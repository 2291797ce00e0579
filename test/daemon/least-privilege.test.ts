import { chmodSync, chownSync, readdirSync, readFileSync } from "node:fs";
import { MapType } from "@bpfmapd/client/proto";
import { describe, expect, test } from "vitest";
import { makeConfig } from "#dist/daemon/config.js";
import { capabilitiesToKeep } from "#dist/daemon/needed-capabilities.js";
import { mapInfo } from "#dist/kernel/index.js";
import { testMap } from "../kernel/support/programs.js";
import { u32Keys } from "../objects/support/maps.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { runDaemon } from "./support/run.js";

const NEEDED = [...(capabilitiesToKeep(makeConfig([])) ?? [])];
const HASH = { type: 1, keySize: 4, valueSize: 4, maxEntries: 1 };

/** Flags of a daemon that keeps what is needed but for these. */
function without(...dropped: string[]): string[] {
  const kept = NEEDED.filter((name) => !dropped.includes(name));
  return kept.flatMap((name) => ["--capability", name]);
}

/** A field of /proc/PID/task/TID/status, of every thread of a process. */
function ofThreads(pid: number, field: string): Set<string | undefined> {
  const threads = readdirSync(`/proc/${pid}/task`);
  const line = new RegExp(`^${field}:\\s*(.*)$`, "m");
  const texts = threads.map((tid) => readFileSync(`/proc/${pid}/task/${tid}/status`, "utf8"));
  return new Set(texts.map((text) => line.exec(text)?.[1]));
}

function mask(...bits: number[]): string {
  const value = bits.reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n);
  return value.toString(16).padStart(16, "0");
}

const [CHOWN, DAC_OVERRIDE, NET_ADMIN, SYS_PTRACE, SYS_ADMIN] = [0, 1, 12, 19, 21];
const [SYSLOG, PERFMON, BPF] = [34, 38, 39];
const FOR_MAPS = [DAC_OVERRIDE, NET_ADMIN, SYS_PTRACE, SYS_ADMIN, SYSLOG, PERFMON, BPF];

describe("a daemon started with every capability", () => {
  test("keeps those that maps need, in each of its threads, and can gain none", async () => {
    const daemon = await startDaemon();
    for (const set of ["CapPrm", "CapEff", "CapInh", "CapAmb"]) {
      expect(ofThreads(daemon.pid, set)).toEqual(new Set([mask(...FOR_MAPS)]));
    }
    expect(ofThreads(daemon.pid, "NoNewPrivs")).toEqual(new Set(["1"]));
  });

  test("keeps what its listeners need", async () => {
    const daemon = await startDaemon({ args: ["--socket-group", "1"] });
    expect(ofThreads(daemon.pid, "CapEff")).toEqual(new Set([mask(...FOR_MAPS, CHOWN)]));
  });

  test("keeps what it is told to keep, or all", async () => {
    const told = await startDaemon({ args: ["--capability", "CAP_BPF"] });
    expect(ofThreads(told.pid, "CapEff")).toEqual(new Set([mask(BPF)]));
    const own = /^CapEff:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    const all = await startDaemon({ args: ["--capability", "all"] });
    expect(ofThreads(all.pid, "CapEff")).toEqual(new Set([own]));
    expect(ofThreads(all.pid, "NoNewPrivs")).toEqual(new Set(["0"]));
  });

  test("keeps its process id, arguments and standard error", async () => {
    const daemon = await startDaemon({ logLevel: "info" });
    const serving = daemon.logs.find(({ msg }) => msg === "serving");
    expect(serving).toMatchObject({ pid: daemon.pid, listen: [`unix:${daemon.socket}`] });
  });
});

test("another user's daemon keeps them too", async () => {
  const needed = NEEDED.map((name) => `+${name.slice("CAP_".length).toLowerCase()}`).join();
  const more = `${needed},+chown,+kill`;
  const user = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
  const under = ["setpriv", ...user, "--inh-caps", more, "--ambient-caps", more];
  const daemon = await startDaemon({ under, args: ["--bpffs-mount", "false"] });
  expect(ofThreads(daemon.pid, "Uid")).toEqual(new Set(["65534\t65534\t65534\t65534"]));
  expect(ofThreads(daemon.pid, "CapEff")).toEqual(new Set([mask(...FOR_MAPS)]));
});

test.each([
  [1023, true],
  [1024, false],
  [0, false],
])("CAP_NET_BIND_SERVICE is needed for a port below 1024: %i", (port, needed) => {
  const tls = { cert: "/c", key: "/k", client_ca: "/ca" };
  const listen = { tcp: [{ address: `127.0.0.1:${port}`, tls }] };
  const values = { listen, access: { policy: "/policy" } };
  const kept = capabilitiesToKeep(makeConfig([{ values, sourceOf: () => "" }]));
  expect(kept?.has("CAP_NET_BIND_SERVICE")).toBe(needed);
});

test("a capability that there is not is refused", () => {
  const { code, stderr } = runDaemon(["config", "check", "--capability", "CAP_EVERYTHING"]);
  expect(code).toBe(2);
  expect(stderr).toContain("capabilities[0] (--capability) must be one of needed, all, CAP_CHOWN");
});

/** What a daemon can do; each answers whether it could. */
const abilities = {
  async seesMapsOfOthers({ client }: TestDaemon) {
    const { id } = mapInfo(testMap(HASH));
    return (await client.maps.listMaps({})).maps.some((map) => map.id === id);
  },
  createsMaps: (daemon: TestDaemon) => creates(daemon, MapType.HASH),
  createsMapsOfDevices: (daemon: TestDaemon) => creates(daemon, MapType.DEVMAP),
  async opensPerfEvents(daemon: TestDaemon) {
    await creates(daemon, MapType.PERF_EVENT_ARRAY);
    const spec = { cpu: 0, type: 1, config: 0n };
    const object = { case: "perfEvent", value: { ref: { case: "spec", value: spec } } } as const;
    return succeeds(
      daemon.client.maps.updateElements({
        map: { ref: { case: "held", value: `m${MapType.PERF_EVENT_ARRAY}` } },
        elements: { count: 1, keys: u32Keys(0), objectValues: [{ object }] },
      }),
    );
  },
  async usesPinsOfOthers(daemon: TestDaemon) {
    const path = `${daemon.bpffs}/of_another`;
    await creates(daemon, MapType.HASH);
    const map = { ref: { case: "held", value: `m${MapType.HASH}` } } as const;
    await daemon.client.maps.pinMap({ map, path });
    chmodSync(path, 0o600);
    chownSync(path, 65534, 65534);
    return succeeds(daemon.client.maps.unpinMap({ path }));
  },
  async seesWhoHoldsMaps({ client }: TestDaemon) {
    const { id } = mapInfo(testMap(HASH));
    const { maps } = await client.maps.listMaps({ detail: { holders: true } });
    const holders = maps.find((map) => map.id === id)?.holders ?? [];
    return holders.some(({ pid }) => pid === process.pid);
  },
};

function creates({ client }: TestDaemon, type: MapType): Promise<boolean> {
  const name = `m${type}`;
  const spec = { type, name, keySize: 4, valueSize: 4, maxEntries: 4 };
  return succeeds(client.maps.createMap({ spec, hold: { name } }));
}

function succeeds(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => true,
    () => false,
  );
}

/** Below this, the kernel lets anybody open a perf event of a whole CPU. */
const paranoid = Number(readFileSync("/proc/sys/kernel/perf_event_paranoid", "utf8"));

describe("each capability is needed", () => {
  test.each([
    [["CAP_SYS_ADMIN"], "seesMapsOfOthers"],
    [["CAP_BPF", "CAP_SYS_ADMIN"], "createsMaps"],
    [["CAP_NET_ADMIN", "CAP_SYS_ADMIN"], "createsMapsOfDevices"],
    [["CAP_DAC_OVERRIDE"], "usesPinsOfOthers"],
    [["CAP_SYS_PTRACE"], "seesWhoHoldsMaps"],
    ...(paranoid > 0 ? [[["CAP_PERFMON", "CAP_SYS_ADMIN"], "opensPerfEvents"] as const] : []),
  ] as const)("without %j nothing %s", async (dropped, ability) => {
    expect(await abilities[ability](await startDaemon())).toBe(true);
    const [, ...standIns] = dropped;
    if (standIns.length > 0) {
      expect(await abilities[ability](await startDaemon({ args: without(...standIns) }))).toBe(
        true,
      );
    }
    expect(await abilities[ability](await startDaemon({ args: without(...dropped) }))).toBe(false);
  });
});
