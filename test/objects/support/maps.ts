import type { MapHandle } from "@bpfmapd/client";
import {
  type Elements,
  type ElementsSchema,
  type Map as MapMessage,
  type MapSpecSchema,
  type MapType,
  type ObjectKeySchema,
  type ObjectValueSchema,
  OnError,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { onTestFinished } from "vitest";
import { uniqueName } from "../../service/support/plain-map.js";
import type { TestDaemon } from "../../support/daemon.js";

export type SpecInit = MessageInitShape<typeof MapSpecSchema> & { readonly type: MapType };
export type ValueInit = MessageInitShape<typeof ObjectValueSchema>;
export type KeyInit = MessageInitShape<typeof ObjectKeySchema>;
export type ElementsInit = MessageInitShape<typeof ElementsSchema>;

/** A map that the daemon made and holds; gone when the test ends. */
export interface ObjectMap {
  readonly info: MapMessage;
  readonly id: number;
  readonly hold: string;
  readonly pinPath: string;
  readonly handle: MapHandle;
}

/** Makes a map, held and pinned under a name of its own. */
export async function makeObjectMap(
  daemon: TestDaemon,
  spec: SpecInit,
  initialElements?: ElementsInit,
): Promise<ObjectMap> {
  const hold = uniqueName();
  const pinPath = `${daemon.bpffs}/${hold}`;
  const { maps } = daemon.client;
  const { map } = await maps.createMap({
    spec: { keySize: 4, valueSize: 4, maxEntries: 4, name: hold, ...spec },
    hold: { name: hold },
    pinPath,
    ...(initialElements && { initialElements }),
  });
  onTestFinished(async () => {
    await maps.releaseMap({ name: hold }).catch(() => {});
    await maps.unpinMap({ path: pinPath }).catch(() => {});
  });
  const info = map as MapMessage;
  return { info, id: info.id, hold, pinPath, handle: daemon.client.map({ id: info.id }) };
}

/** Number keys of 4 bytes, back to back. */
export function u32Keys(...numbers: number[]): Buffer {
  const keys = Buffer.alloc(4 * numbers.length);
  for (const [index, number] of numbers.entries()) keys.writeUInt32LE(number, 4 * index);
  return keys;
}

/** Writes objects under number keys. */
export function writeObjects(
  daemon: TestDaemon,
  map: ObjectMap,
  entries: readonly (readonly [key: number, value: ValueInit])[],
) {
  return daemon.client.maps.updateElements({
    map: map.handle.ref,
    elements: {
      count: entries.length,
      keys: u32Keys(...entries.map(([key]) => key)),
      objectValues: entries.map(([, value]) => value),
    },
  });
}

/** Reads what stands under number keys. */
export async function readObjects(
  daemon: TestDaemon,
  map: ObjectMap,
  ...keys: number[]
): Promise<Elements> {
  const { elements } = await daemon.client.maps.lookupElements({
    map: map.handle.ref,
    keys: u32Keys(...keys),
    count: keys.length,
  });
  return elements as Elements;
}

/** Deletes what stands under number keys; answers the indices of those that were not there. */
export async function deleteObjects(
  daemon: TestDaemon,
  map: ObjectMap,
  ...keys: number[]
): Promise<number[]> {
  const { failures } = await daemon.client.maps.deleteElements({
    map: map.handle.ref,
    keys: u32Keys(...keys),
    count: keys.length,
    onError: OnError.CONTINUE,
  });
  return failures.map(({ index }) => index);
}

/** All elements of a map, in one piece. */
export async function dumpObjects(map: ObjectMap): Promise<ElementsInit & { count: number }> {
  const all = { count: 0, keys: Buffer.alloc(0), values: Buffer.alloc(0) };
  const objectValues: Elements["objectValues"] = [];
  for await (const chunk of map.handle.dump().chunks()) {
    all.count += chunk.count;
    all.keys = Buffer.concat([all.keys, chunk.keys]);
    all.values = Buffer.concat([all.values, chunk.values]);
    objectValues.push(...chunk.objectValues);
  }
  return { ...all, objectValues };
}
