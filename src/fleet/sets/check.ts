import type { ElementSizes, Elements } from "./elements.js";
import type { SetSpec } from "./manifest.js";
import { ELEMENT_BYTES } from "./segment.js";
import { invalidField } from "./set-error.js";

/** The kernel's limit of a key is lower for most types of maps. */
const MAX_SIZE = ELEMENT_BYTES;

/** Refuses sizes that no element can have. */
export function checkSpec({ keySize, valueSize }: SetSpec): void {
  if (!Number.isInteger(keySize) || keySize < 1 || keySize > MAX_SIZE) {
    throw invalidField("key_size", `${keySize} is not from 1 to ${MAX_SIZE} bytes`);
  }
  if (!Number.isInteger(valueSize) || valueSize < 0 || keySize + valueSize > MAX_SIZE) {
    const most = MAX_SIZE - keySize;
    throw invalidField("value_size", `${valueSize} is not from 0 to ${most} bytes`);
  }
}

/** Refuses columns that have not as many keys and values as they say. */
export function checkColumns(sizes: ElementSizes, elements: Elements, field: string): void {
  checkKeys(sizes, elements, field);
  checkColumn(`${field}.values`, elements.values, elements.count, sizes.valueSize);
}

/** Refuses a column that has not as many keys as it says. */
export function checkKeys(
  { keySize }: ElementSizes,
  { count, keys }: { readonly count: number; readonly keys: Uint8Array },
  field: string,
): void {
  if (!Number.isInteger(count) || count < 0) {
    throw invalidField(`${field}.count`, `${count} is not a number of elements`);
  }
  checkColumn(`${field}.keys`, keys, count, keySize);
}

function checkColumn(field: string, column: Uint8Array, count: number, size: number): void {
  if (column.length === count * size) return;
  throw invalidField(
    field,
    `${column.length} bytes are not ${count} of ${size} bytes, which the set has`,
  );
}
