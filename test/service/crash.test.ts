import { setTimeout as sleep } from "node:timers/promises";
import type { BpfmapClient } from "@bpfmapd/client";
import { expect, it, vi } from "vitest";
import { startDaemon } from "../support/daemon.js";

const HASH = { type: 1, keySize: 4, valueSize: 8, maxEntries: 1000 };

function u32(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
}

async function hold(client: BpfmapClient, name: string, leaseSeconds?: number): Promise<number> {
  const lease = leaseSeconds === undefined ? undefined : { seconds: BigInt(leaseSeconds) };
  const { map } = await client.maps.createMap({ spec: HASH, hold: { name, lease } });
  return map!.id;
}

it("finds held maps and their elements under the same names after SIGKILL", async () => {
  const daemon = await startDaemon();
  const ids = new Map<string, number>();
  for (const name of ["one", "two", "three"]) {
    ids.set(name, await hold(daemon.client, name));
    await daemon.client.map({ held: name }).update(u32(7), Buffer.from(name.padEnd(8)));
  }
  await daemon.kill();
  await daemon.restart();
  for (const [name, id] of ids) {
    const map = daemon.client.map({ held: name });
    expect((await map.get()).id).toBe(id);
    expect(
      Buffer.from((await map.lookup(u32(7)))!)
        .toString()
        .trimEnd(),
    ).toBe(name);
  }
});

it("starts leases anew after SIGKILL, and frees the map of one that runs out", async () => {
  const daemon = await startDaemon();
  const short = await hold(daemon.client, "short", 2);
  const long = await hold(daemon.client, "long", 3600);
  await daemon.kill();
  await daemon.restart();
  expect((await daemon.client.map({ held: "short" }).get()).id).toBe(short);
  await vi.waitFor(
    () =>
      expect(daemon.client.map({ id: short }).get()).rejects.toMatchObject({
        reason: "MAP_NOT_FOUND",
      }),
    { timeout: 20_000, interval: 200 },
  );
  await expect(daemon.client.map({ held: "short" }).get()).rejects.toMatchObject({
    reason: "HOLD_NOT_FOUND",
  });
  expect((await daemon.client.map({ held: "long" }).get()).id).toBe(long);
});

it("a lease that is kept alive does not run out", async () => {
  const daemon = await startDaemon();
  const id = await hold(daemon.client, "kept", 2);
  for (let round = 0; round < 8; round++) {
    await sleep(500);
    await daemon.client.maps.keepAlive({ names: ["kept"] });
  }
  expect((await daemon.client.map({ held: "kept" }).get()).id).toBe(id);
});

it("has every hold that was answered, whenever it is killed", async () => {
  const daemon = await startDaemon();
  const answered = new Map<string, number>();
  for (let round = 0; round < 8; round++) {
    let stop = false;
    const making = (async () => {
      for (let index = 0; !stop; index++) {
        const name = `hold-${round}-${index}`;
        answered.set(name, await hold(daemon.client, name));
      }
    })().catch(() => {});
    await sleep(20 + round * 7);
    await daemon.kill();
    stop = true;
    await making;
    await daemon.restart();
    const { maps } = await daemon.client.maps.listMaps({
      filter: { held: true },
      pageSize: 10_000,
    });
    const held = new Map(maps.flatMap((map) => map.holds.map((one) => [one.name, map.id])));
    for (const [name, id] of answered) expect(held.get(name)).toBe(id);
  }
}, 120_000);
