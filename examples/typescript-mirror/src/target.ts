import type { BatchedMap, BpfmapClient, MapHandle } from "@bpfmapd/client";
import type { Map as MapInfo } from "@bpfmapd/client/proto";

/** Where a map is: a host, by its daemon, and a pin there. */
export interface Place {
  readonly client: BpfmapClient;
  readonly pinPath: string;
}

/** The map that is written. */
export interface Target {
  readonly map: MapHandle;
  /** The same, for single changes that share requests. */
  readonly batched: BatchedMap;
  /** Fails unless the map that is written is still the one that has the pin. */
  check(): Promise<void>;
  /** Whether a map of the source can be mirrored into it. */
  fits(source: MapInfo | undefined): boolean;
}

/**
 * Opens the map with this pin, which whoever loads its program has made. Fails where there is
 * none yet, or one of another sort. It is written by its id: a map that takes its place later
 * would lack what was written before.
 */
export async function openTarget({ client, pinPath }: Place, source: MapInfo): Promise<Target> {
  const map = await client.map({ pinPath }).get();
  const fits = (other: MapInfo | undefined) =>
    other?.keySize === map.keySize && other.valueStride === map.valueStride;
  if (!fits(source)) throw new Error(`the map at ${pinPath} has other sizes than the source's`);
  const { id, bootId } = map;
  const handle = client.map({ id, bootId });
  return {
    map: handle,
    batched: handle.batched(map),
    async check() {
      const now = await client.map({ pinPath }).get();
      if (now.id !== id || now.bootId !== bootId) throw new Error(`another map is at ${pinPath}`);
    },
    fits,
  };
}
