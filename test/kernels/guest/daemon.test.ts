import { hostname, release } from "node:os";
import { Availability, MapType } from "@bpfmapd/client/proto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { byKey, u32 } from "../../maps/support/elements.js";
import { startDaemon, type TestDaemon } from "../../support/daemon.js";
import { bpftoolDump } from "../support/bpftool.js";

let daemon: TestDaemon;

beforeAll(async () => {
  daemon = await startDaemon();
});

afterAll(() => daemon.dispose());

const elements = (count: number) =>
  Array.from({ length: count }, (_, index): [Buffer, Buffer] => [
    u32(index),
    Buffer.alloc(16, index),
  ]);

test("the daemon tells which kernel it runs on, and what that can do", async () => {
  const { host } = await daemon.client.host.getHost({});
  expect(host).toMatchObject({ hostname: hostname(), kernelRelease: release() });
  const { types } = await daemon.client.host.getCapabilities({ types: [MapType.HASH] });
  expect(types).toMatchObject([{ type: MapType.HASH, availability: Availability.AVAILABLE }]);
});

test("a held map is filled, dumped, and there again after the daemon was killed", async () => {
  const spec = {
    type: MapType.LRU_HASH,
    name: "survivor",
    keySize: 4,
    valueSize: 16,
    // An LRU map evicts long before it is full.
    maxEntries: 10_000,
  };
  const { maps } = daemon.client;
  const { map } = await maps.createMap({ spec, hold: { name: "survivor" } });
  const survivor = daemon.client.map({ held: "survivor" });
  await survivor.updateMany(elements(10));
  expect(await survivor.lookup(u32(3))).toEqual(new Uint8Array(16).fill(3));
  await survivor.load(elements(50));

  await daemon.kill();
  await daemon.restart();
  expect((await survivor.get()).id).toBe(map?.id);
  const dumped: [Uint8Array, Uint8Array][] = [];
  const dump = survivor.dump();
  for await (const element of dump) dumped.push(element);
  expect(await dump.summary).toMatchObject({ complete: true });
  expect(byKey(dumped)).toEqual(byKey(elements(50)));
  expect(byKey(dumped)).toEqual(bpftoolDump(map?.id as number));
  await maps.releaseMap({ name: "survivor" });
});

test("the daemon ends by itself when asked", async () => {
  expect(await daemon.stop()).toBe(0);
  expect(daemon.logs.filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
});
