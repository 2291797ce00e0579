import { create } from "@bufbuild/protobuf";
import { invalidArgument, protocolError } from "./errors.js";
import { type Elements, ElementsSchema } from "./gen/bpfmap/v1/element_pb.js";

/** A key and its value. Maps without keys (queues, stacks, bloom filters) have empty keys. */
export type Element = readonly [key: Uint8Array, value: Uint8Array];

/**
 * Joins elements into columns. Throws INVALID_ARGUMENT where keys or values differ
 * in length: back to back they could pass for others of the right length.
 */
export function packElements(elements: Iterable<Element>): Elements {
  const keys: Uint8Array[] = [];
  const values: Uint8Array[] = [];
  for (const [key, value] of elements) {
    keys.push(key);
    values.push(value);
  }
  return create(ElementsSchema, {
    count: keys.length,
    keys: packColumn(keys, "elements.keys"),
    values: packColumn(values, "elements.values"),
  });
}

/** Joins keys or values of one length into a column; `field` names it in errors. */
export function packColumn(items: readonly Uint8Array[], field: string): Uint8Array {
  const size = items[0]?.length ?? 0;
  const column = new Uint8Array(size * items.length);
  for (const [index, item] of items.entries()) {
    if (item.length !== size) {
      throw sizeMismatch(field, index, item.length, size);
    }
    column.set(item, index * size);
  }
  return column;
}

/** Views of the `count` items of a column. Throws INTERNAL where it is not a whole number of them. */
export function unpackColumn(column: Uint8Array, count: number): Uint8Array[] {
  const size = count === 0 ? 0 : column.length / count;
  if (!Number.isInteger(size)) {
    throw protocolError(`the daemon sent ${column.length} bytes for ${count} elements`);
  }
  return Array.from({ length: count }, (_, index) =>
    column.subarray(index * size, (index + 1) * size),
  );
}

/** The error of a key or value of the wrong length; `index` is its position from 0. */
export function sizeMismatch(field: string, index: number, given: number, wanted: number): Error {
  const isKey = field.endsWith("keys");
  return invalidArgument(
    `${isKey ? "key" : "value"} ${index} has ${given} bytes; ${wanted} are needed`,
    field,
    isKey ? "KEY_SIZE_MISMATCH" : "VALUE_SIZE_MISMATCH",
  );
}
