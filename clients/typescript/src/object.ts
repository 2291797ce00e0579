import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ObjectKeySchema, ObjectValueSchema } from "./gen/bpfmap/v1/object_pb.js";

/** A key: bytes, or the kernel object that it is (Map types of KEY_KIND_OBJECT). */
export type Key = Uint8Array | MessageInitShape<typeof ObjectKeySchema>;

/** A value: bytes, or the kernel object that it is (Map types of VALUE_KIND_OBJECT). */
export type Value = Uint8Array | MessageInitShape<typeof ObjectValueSchema>;

/** The column of one key, under the names of requests and of Elements. */
export function keyColumn(key: Key) {
  return key instanceof Uint8Array ? { keys: key } : { objectKeys: [key] };
}

/** The column of one value, under the names of Elements. */
export function valueColumn(value: Value) {
  return value instanceof Uint8Array ? { values: value } : { objectValues: [value] };
}
