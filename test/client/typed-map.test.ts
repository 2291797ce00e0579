import { type BpfmapClient, BpfmapError } from "@bpfmapd/client";
import { ipv4, prefix, struct, u8, u32, u64 } from "@bpfmapd/client/codec";
import { LoadStrategy, UpdateMode } from "@bpfmapd/client/proto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bpftool } from "../service/support/bpftool.js";
import { collect, hex } from "../service/support/elements.js";
import { makeMap, shapeOf } from "../service/support/plain-map.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";

let daemon: TestDaemon;
let client: BpfmapClient;
beforeAll(async () => {
  daemon = await startDaemon();
  client = daemon.client;
});
afterAll(() => daemon?.dispose());

/** bpftool's words for the element 1 with the value 11. */
const ELEVEN = "key 1 0 0 0 value 11 0 0 0 0 0 0 0".split(" ");

const counters = struct({ flags: u8, packets: u32 });

it("reads and writes elements by their types, as the host has them", async () => {
  const { id, handle } = await makeMap(daemon, shapeOf("HASH"));
  const map = await client.open({ id }, { key: u32, value: counters });

  await map.update(7, { flags: 1, packets: 2 });
  expect(hex((await handle.lookup(Uint8Array.of(7, 0, 0, 0)))!)).toBe("0100000002000000");
  expect(await map.lookup(7)).toEqual({ flags: 1, packets: 2 });
  expect(await map.lookup(8)).toBeUndefined();

  await map.updateMany([
    [8, { flags: 0, packets: 3 }],
    [9, { flags: 0, packets: 4 }],
  ]);
  expect(await map.lookupMany([9, 1, 8])).toEqual([
    { flags: 0, packets: 4 },
    undefined,
    { flags: 0, packets: 3 },
  ]);
  expect(await map.delete(8)).toBe(true);
  expect(await map.delete(8)).toBe(false);
  expect(await map.take(9)).toEqual({ flags: 0, packets: 4 });
  await expect(
    map.update(7, { flags: 0, packets: 0 }, { mode: UpdateMode.NOEXIST }),
  ).rejects.toMatchObject({ reason: "ELEMENT_EXISTS" });
});

it("loads and iterates whole maps", async () => {
  const { id } = await makeMap(daemon, shapeOf("HASH"));
  const map = await client.open({ id }, { key: u32, value: u64 });
  const wanted = new Map(Array.from({ length: 500 }, (_, index) => [index, BigInt(index) ** 3n]));

  expect((await map.load(wanted)).written).toBe(500n);
  expect(new Map(await collect(map))).toEqual(wanted);
  expect(new Set(await collect(map.keys()))).toEqual(new Set(wanted.keys()));

  async function* one(): AsyncGenerator<[number, bigint]> {
    yield [1, 1n];
  }
  expect((await map.load(one(), { strategy: LoadStrategy.REPLACE })).removed).toBe(499n);
  expect(await collect(map.entries())).toEqual([[1, 1n]]);
});

it("has one value for each CPU of a per-CPU map", async () => {
  const { id, info } = await makeMap(daemon, shapeOf("PERCPU_HASH", { valueSize: 4 }));
  const map = await client.openPerCpu({ id }, { key: u32, value: u32 });
  const values = info.cpus.map((cpu) => 100 + cpu);

  await map.update(1, values);
  expect(await map.lookup(1)).toEqual(values);
  expect(await collect(map)).toEqual([[1, values]]);
  await expect(map.update(1, [...values, 1])).rejects.toThrow(BpfmapError);
});

it("names the prefixes of a trie as people do", async () => {
  const { id } = await makeMap(daemon, shapeOf("LPM_TRIE"));
  const map = await client.open({ id }, { key: prefix(ipv4), value: u64 });
  await map.update("10.0.0.0/8", 8n);
  await map.update("10.1.0.0/16", 16n);
  expect(await map.lookup("10.1.2.3/32")).toBe(16n);
  expect(new Set(await collect(map.keys()))).toEqual(new Set(["10.0.0.0/8", "10.1.0.0/16"]));
});

it("watches by types", async () => {
  const { id } = await makeMap(daemon, shapeOf("HASH"));
  const map = await client.open({ id }, { key: u32, value: u64 });
  await map.update(1, 10n);
  const seen: unknown[] = [];
  for await (const event of map.watch({ pollIntervalMs: 20, previousValues: true })) {
    if (event.type === "put") seen.push([event.key, event.value, event.previous]);
    // Not by the service, whose own writes are told without the value before.
    if (event.type === "synced") bpftool("map", "update", "id", String(id), ...ELEVEN);
    if (event.type === "put" && event.value === 11n) await map.delete(1);
    if (event.type === "delete") {
      seen.push([event.key]);
      break;
    }
  }
  expect(seen).toEqual([[1, 10n, undefined], [1, 11n, 10n], [1]]);
});

it("refuses codecs of other sizes, and the wrong way to open a per-CPU map", async () => {
  const plain = await makeMap(daemon, shapeOf("HASH"));
  const perCpu = await makeMap(daemon, shapeOf("PERCPU_ARRAY"));
  const failures = [
    [() => client.open({ id: plain.id }, { key: u64, value: u64 }), "KEY_SIZE_MISMATCH"],
    [() => client.open({ id: plain.id }, { key: u32, value: u32 }), "VALUE_SIZE_MISMATCH"],
    [() => client.openPerCpu({ id: plain.id }, { key: u32, value: u64 }), "FIELD_INVALID"],
    [() => client.open({ id: perCpu.id }, { key: u32, value: u64 }), "FIELD_INVALID"],
    [() => client.openPerCpu({ id: perCpu.id }, { key: u32, value: u32 }), "VALUE_SIZE_MISMATCH"],
    [() => client.open({ held: "nothing" }, { key: u32, value: u64 }), "HOLD_NOT_FOUND"],
  ] as const;
  for (const [open, reason] of failures) {
    await expect(open()).rejects.toMatchObject({ reason });
  }
});
