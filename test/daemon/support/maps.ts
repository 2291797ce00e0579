import type { BpfmapClient, MapHandle } from "@bpfmapd/client";
import { MapType } from "@bpfmapd/client/proto";

/** A held hash map of 4-byte keys and values with elements 0..count-1. */
export async function heldHash(
  client: BpfmapClient,
  name: string,
  count: number,
): Promise<MapHandle> {
  await client.maps.createMap({
    spec: { type: MapType.HASH, keySize: 4, valueSize: 4, maxEntries: Math.max(1, count) },
    hold: { name },
  });
  const map = client.map({ held: name });
  await map.load(elements(count), { chunkBytes: 32 * 1024 });
  return map;
}

function* elements(count: number): Generator<[Uint8Array, Uint8Array]> {
  for (let index = 0; index < count; index++) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(index);
    yield [bytes, bytes];
  }
}
