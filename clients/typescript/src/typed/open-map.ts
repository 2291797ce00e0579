import type { BatchingOptions } from "../batch/batched-map.js";
import type { CallOptions } from "../call-options.js";
import type { BpfmapClient } from "../client.js";
import type { Codec } from "../codec/codec.js";
import { invalidArgument, protocolError } from "../errors.js";
import type { Map as BpfMap } from "../gen/bpfmap/v1/map_pb.js";
import type { MapRefInit } from "../map-ref.js";
import { ElementCodec, perCpuValue } from "./element-codec.js";
import { TypedMap } from "./typed-map.js";

/** How to open a map with types. */
export interface OpenOptions<K, V> extends CallOptions {
  /** Keys, of key_size bytes. */
  key: Codec<K>;
  /** Values, of value_size bytes: of one CPU's value for per-CPU maps. */
  value: Codec<V>;
  /** How single calls share requests; false where each is to be a request of its own. */
  batching?: BatchingOptions | false;
}

/** Opens a map whose values are one V each; see BpfmapClient.open(). */
export async function openMap<K, V>(
  client: BpfmapClient,
  ref: MapRefInit,
  options: OpenOptions<K, V>,
): Promise<TypedMap<K, V>> {
  return open(client, ref, options, (map) => {
    if (map.cpus.length === 0) return options.value;
    throw invalidArgument(`map ${map.id} "${map.name}" is per-CPU: use openPerCpu()`, "map");
  });
}

/** Opens a map whose values are one V for each CPU; see BpfmapClient.openPerCpu(). */
export async function openPerCpuMap<K, V>(
  client: BpfmapClient,
  ref: MapRefInit,
  options: OpenOptions<K, V>,
): Promise<TypedMap<K, V[]>> {
  return open(client, ref, options, (map) => {
    if (map.cpus.length > 0) return perCpuValue(map, options.value);
    throw invalidArgument(`map ${map.id} "${map.name}" is not per-CPU: use open()`, "map");
  });
}

async function open<K, V, W>(
  client: BpfmapClient,
  ref: MapRefInit,
  { key, batching, ...options }: OpenOptions<K, V>,
  valueCodec: (map: BpfMap) => Codec<W>,
): Promise<TypedMap<K, W>> {
  const handle = client.map(ref);
  const [map, { host }] = await Promise.all([
    handle.get(undefined, options),
    client.host.getHost({}, options),
  ]);
  if (host === undefined) throw protocolError("the daemon's answer has no host");
  const codec = new ElementCodec(map, host, key, valueCodec(map));
  const single = batching === false ? handle : handle.batched(map, batching);
  return new TypedMap(handle, map, codec, single);
}
