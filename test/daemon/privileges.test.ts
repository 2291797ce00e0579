import { status } from "@bpfmapd/client";
import { MapType } from "@bpfmapd/client/proto";
import { describe, expect, test } from "vitest";
import { startDaemon } from "../support/daemon.js";

/** Runs a command as root without these capabilities; a bounding set cannot be left again. */
function without(...capabilities: string[]): string[] {
  const list = capabilities.map((name) => `-${name}`).join(",");
  return ["setpriv", "--bounding-set", list, "--inh-caps", list];
}

describe("a daemon without capabilities", () => {
  test("names CAP_SYS_ADMIN where it is missing, and serves what works without it", async () => {
    const daemon = await startDaemon({ under: without("sys_admin") });
    const { client } = daemon;
    const warning = daemon.logs.find(({ capability }) => capability === "CAP_SYS_ADMIN");
    expect(warning).toMatchObject({ level: "warn" });
    expect(warning?.msg).toMatch(/^CAP_SYS_ADMIN is missing: .*still can$/);
    const { host } = await client.host.getHost({});
    expect(host?.missingCapabilities.map(({ name }) => name)).toContain("CAP_SYS_ADMIN");

    await client.maps.createMap({
      spec: { type: MapType.HASH, name: "mine", keySize: 4, valueSize: 4, maxEntries: 4 },
      hold: { name: "mine" },
    });
    const map = client.map({ held: "mine" });
    await map.update(Buffer.from("key1"), Buffer.from("val1"));
    expect(Buffer.from((await map.lookup(Buffer.from("key1"))) ?? []).toString()).toBe("val1");
    const { id } = await map.get();
    expect((await client.maps.listMaps({})).maps.map((listed) => listed.id)).toEqual([id]);

    // A held map is found by id, too; any other needs the capability.
    const stranger = client.map({ id: 1_000_000_000 }).get();
    await expect(stranger).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
      reason: "KERNEL_DENIED",
      message: expect.stringContaining("CAP_SYS_ADMIN"),
    });
  });

  test("starts without any, and answers what the kernel denies", async () => {
    const daemon = await startDaemon({
      under: ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"],
    });
    const { host } = await daemon.client.host.getHost({});
    const missing = host?.missingCapabilities.map(({ name }) => name);
    expect(missing).toEqual(expect.arrayContaining(["CAP_SYS_ADMIN", "CAP_BPF"]));
    for (const name of missing ?? []) {
      expect(daemon.logs.find(({ capability }) => capability === name)?.level).toBe("warn");
    }
    const { types } = await daemon.client.host.getCapabilities({ types: [MapType.LPM_TRIE] });
    expect(types).toHaveLength(1);
  });
});

test("a daemon with everything it needs warns of nothing", async () => {
  const daemon = await startDaemon();
  const { host } = await daemon.client.host.getHost({});
  expect(host?.missingCapabilities).toEqual([]);
  expect(daemon.logs.filter(({ level }) => level === "warn")).toEqual([]);
});
