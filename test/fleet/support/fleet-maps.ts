import { MapType } from "@bpfmapd/client/proto";
import type { TestDaemon } from "../../support/daemon.js";

/** The name that every host holds its map under. */
export const HELD = "counters";
/** How a fleet's calls name it. */
export const HELD_REF = { ref: { case: "held" as const, value: HELD } };

/** Makes a host's map: u32 keys, u64 values; per-CPU where asked for. */
export async function makeCounters(host: TestDaemon, type = MapType.HASH): Promise<void> {
  await host.client.maps.createMap({
    spec: { type, name: HELD, keySize: 4, valueSize: 8, maxEntries: 1000 },
    hold: { name: HELD },
  });
}

/** Writes counters of a host's map; of a per-CPU map, into every CPU's slot. */
export async function count(
  host: TestDaemon,
  counters: Readonly<Record<number, bigint | number>>,
  perCpu = false,
): Promise<void> {
  const entries = Object.entries(counters);
  const keys = Buffer.alloc(entries.length * 4);
  const values = Buffer.alloc(entries.length * 8);
  for (const [index, [key, value]] of entries.entries()) {
    keys.writeUInt32LE(Number(key), index * 4);
    values.writeBigUInt64LE(BigInt(value), index * 8);
  }
  await host.client.maps.updateElements({
    map: HELD_REF,
    elements: { count: entries.length, keys, values },
    ...(perCpu && { cpuTarget: { target: { case: "allCpus", value: true } } }),
  });
}

/** The u64 of the values. */
export const COUNTER = { offset: 0, type: 4 } as const;

/** A key as a number. */
export function keyOf(key: Uint8Array): number {
  return Buffer.from(key).readUInt32LE();
}
