import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ipv4, prefix, struct, u32, u64 } from "@bpfmapd/client/codec";
import { expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { compiledObject, loadedMaps } from "../typing/support/bpf-object.js";

const DROP = 1;
const PASS = 2;
const PACKET_BYTES = 64;
const drop = struct({ sender: ipv4, rule: u32 });

/** Loads the firewall; answers the directory in the daemon's bpffs that has all its pins. */
function loadFirewall({ directory, bpffs }: TestDaemon): string {
  expect(loadedMaps(compiledObject("firewall", directory), bpffs)).toHaveLength(3);
  return `${bpffs}/firewall_o`;
}

/** Lets the firewall see the same IPv4 packet several times. */
function receive({ directory, bpffs }: TestDaemon, sender: string, times: number): void {
  const packet = Buffer.alloc(PACKET_BYTES);
  packet.set(sender.split(".").map(Number), 26);
  const file = join(directory, "packet");
  writeFileSync(file, packet);
  const program = ["pinned", `${bpffs}/firewall_o/programs/firewall`];
  execFileSync("bpftool", ["prog", "run", ...program, "data_in", file, "repeat", String(times)]);
}

it("a firewall's prefixes, per-CPU counters and drops are told exactly", async () => {
  const daemon = await startDaemon();
  const { client } = daemon;
  const pins = loadFirewall(daemon);
  const blocked = await client.open(
    { pinPath: `${pins}/maps/blocked` },
    { key: prefix(ipv4), value: u32 },
  );
  const verdicts = await client.openPerCpu(
    { pinPath: `${pins}/maps/verdicts` },
    { key: u32, value: struct({ packets: u64, bytes: u64 }) },
  );
  const sumOf = async (verdict: number) => {
    const slots = (await verdicts.lookup(verdict)) ?? [];
    const packets = slots.reduce((sum, slot) => sum + slot.packets, 0n);
    const bytes = slots.reduce((sum, slot) => sum + slot.bytes, 0n);
    expect(bytes).toBe(packets * BigInt(PACKET_BYTES));
    return packets;
  };

  await blocked.load([
    ["10.0.0.0/8", 8],
    ["10.1.0.0/16", 16],
  ]);
  const drops = client.map({ pinPath: `${pins}/maps/drops` }).records({ exclusive: true });
  receive(daemon, "10.1.2.3", 1000);
  receive(daemon, "10.9.9.9", 500);
  receive(daemon, "192.0.2.1", 250);
  await blocked.delete("10.0.0.0/8");
  receive(daemon, "10.9.9.9", 50);
  await blocked.update("192.0.2.1/32", 32);
  receive(daemon, "192.0.2.1", 3);

  expect(await sumOf(DROP)).toBe(1503n);
  expect(await sumOf(PASS)).toBe(300n);
  const told = new Map<string, number>();
  let count = 0;
  for await (const event of drops) {
    if (event.type !== "record") throw new Error(`records were ${event.type}`);
    const { sender, rule } = decode(event.data);
    told.set(`${sender} ${rule}`, (told.get(`${sender} ${rule}`) ?? 0) + 1);
    if (++count === 1503) break;
  }
  expect([...told]).toEqual([
    ["10.1.2.3 16", 1000],
    ["10.9.9.9 8", 500],
    ["192.0.2.1 32", 3],
  ]);
});

function decode(data: Uint8Array) {
  return drop.read(new DataView(data.buffer, data.byteOffset, data.byteLength), 0, true);
}
