import { type Codec, decode, encode } from "../codec/codec.js";
import { strided } from "../codec/composite.js";
import type { Element } from "../columns.js";
import { invalidArgument } from "../errors.js";
import { ByteOrder, type Host } from "../gen/bpfmap/v1/host_service_pb.js";
import type { Map as BpfMap } from "../gen/bpfmap/v1/map_pb.js";

/** Keys and values of one map, between their types and the host's bytes. */
export class ElementCodec<K, V> {
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;
  readonly #littleEndian: boolean;

  /** Throws INVALID_ARGUMENT unless the codecs have the sizes of the map. */
  constructor(map: BpfMap, host: Pick<Host, "byteOrder">, key: Codec<K>, value: Codec<V>) {
    checkSize(map, "key", key.size, map.keySize);
    checkSize(map, "value", value.size, map.valueStride);
    this.#key = key;
    this.#value = value;
    this.#littleEndian = host.byteOrder === ByteOrder.LITTLE_ENDIAN;
  }

  keyBytes(key: K): Uint8Array {
    return encode(this.#key, key, this.#littleEndian);
  }

  valueBytes(value: V): Uint8Array {
    return encode(this.#value, value, this.#littleEndian);
  }

  keyOf(bytes: Uint8Array): K {
    return decode(this.#key, bytes, this.#littleEndian);
  }

  valueOf(bytes: Uint8Array): V {
    return decode(this.#value, bytes, this.#littleEndian);
  }

  bytesOf([key, value]: readonly [K, V]): Element {
    return [this.keyBytes(key), this.valueBytes(value)];
  }
}

/** A per-CPU value: one value for each of Map.cpus, each in a slot of a multiple of 8 bytes. */
export function perCpuValue<V>(map: BpfMap, value: Codec<V>): Codec<V[]> {
  checkSize(map, "value", value.size, map.valueSize);
  return strided(value, map.cpus.length, Math.ceil(value.size / 8) * 8);
}

function checkSize(map: BpfMap, what: string, given: number, wanted: number): void {
  if (given === wanted) return;
  throw invalidArgument(
    `the ${what} codec has ${given} bytes, but the ${what}s of map ${map.id} "${map.name}" have ${wanted}`,
    what,
    what === "key" ? "KEY_SIZE_MISMATCH" : "VALUE_SIZE_MISMATCH",
  );
}
