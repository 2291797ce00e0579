import type { BpfmapClient } from "@bpfmapd/client";
import { Comparison, Format } from "@bpfmapd/client/proto";
import { beforeAll, expect, test } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { compiledObject, loadedMaps } from "./support/bpf-object.js";

let daemon: TestDaemon;
let client: BpfmapClient;
let pins: string[];

beforeAll(async () => {
  daemon = await startDaemon();
  client = daemon.client;
  pins = loadedMaps(compiledObject("kinds", daemon.directory), daemon.bpffs);
  return () => daemon.dispose();
});

function mapOf(name: string) {
  return client.map({ pinPath: pins.find((pin) => pin.endsWith(`/${name}`)) ?? "" });
}

test("a map's JSON view reads and writes plain values", async () => {
  const map = mapOf("conntrack").json();
  const key = { saddr: 1, daddr: 2, sport: 3 };
  await map.update(key, { packets: 2n ** 64n - 1n, verdict: "VERDICT_DROP", local: true });
  expect(await map.lookup(key)).toMatchObject({
    packets: "18446744073709551615",
    verdict: "VERDICT_DROP",
    local: true,
  });
  expect(await map.lookup({ ...key, saddr: 9 })).toBeUndefined();
  await map.update({ saddr: 5 }, { packets: 7 });
  const found: unknown[] = [];
  const where = { field: "value.packets", comparison: Comparison.LESS, jsonValue: "10" };
  for await (const [, value] of map.dump({ filter: { fields: [where] } })) found.push(value);
  expect(found).toMatchObject([{ packets: "7" }]);
  expect(await map.delete({ saddr: 5 })).toBe(true);
  expect(await map.delete({ saddr: 5 })).toBe(false);
  expect((await map.schema()).valueDeclaration).toMatch(/^struct entry \{/);
});

test("named types stand in for those that a map lacks", async () => {
  const map = mapOf("jobs").json({
    source: { case: "kernel", value: "vmlinux" },
    valueType: "u64",
  });
  await expect(map.schema()).rejects.toMatchObject({ reason: "TYPE_SIZE_MISMATCH" });
});

test("a watch tells JSON beside the bytes", async () => {
  const map = mapOf("hits");
  for await (const event of map.watch({ format: Format.BYTES_AND_JSON, cpu: 0 })) {
    if (event.type !== "put") continue;
    expect(event.key).toHaveLength(4);
    expect(event.json).toEqual({
      key: String(Buffer.from(event.key).readUInt32LE()),
      value: '"0"',
    });
    break;
  }
});
