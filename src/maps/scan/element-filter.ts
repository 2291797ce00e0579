import { fieldError } from "../map-error.js";
import type { MapLayout } from "../map-layout.js";
import { compileCondition, type FieldCondition } from "../typing/field-condition.js";
import type { ElementShapes } from "../typing/field-path.js";

/** Chooses elements; all parts that are present must hold. */
export interface ElementFilter {
  /** Only keys that start with these bytes. */
  readonly keyPrefix?: Uint8Array | undefined;
  /** Only keys from `start` on and before `end`; indices are compared as numbers. */
  readonly keyRange?: KeyRange | undefined;
  /** Only values that equal `match` where `mask` has bits; any CPU's slot will do. */
  readonly valueMatch?: { readonly mask: Uint8Array; readonly match: Uint8Array } | undefined;
  /** Only elements whose fields are as every one of these says. */
  readonly fields?: readonly FieldCondition[] | undefined;
}

/** A range of keys; a missing end is no bound. */
export interface KeyRange {
  readonly start?: Uint8Array | undefined;
  readonly end?: Uint8Array | undefined;
}

/** Whether the element whose key and value stand at these places is chosen. */
export type Chooser = (keys: Buffer, keyAt: number, values: Buffer, valueAt: number) => boolean;

/** Refuses a filter whose parts do not fit the map's sizes. */
export function checkFilter(filter: ElementFilter | undefined, layout: MapLayout): void {
  if (!filter) return;
  const { keySize, valueSize } = layout;
  const { keyPrefix, keyRange, valueMatch } = filter;
  if (keyPrefix && keyPrefix.length > keySize) {
    throw sizeError("KEY", "filter.key_prefix", keyPrefix.length, `at most ${keySize}`);
  }
  for (const side of ["start", "end"] as const) {
    const bound = keyRange?.[side];
    if (bound && bound.length !== keySize) {
      throw sizeError("KEY", `filter.key_range.${side}`, bound.length, `${keySize}`);
    }
  }
  if (!valueMatch) return;
  const { mask, match } = valueMatch;
  if (mask.length > valueSize) {
    throw sizeError("VALUE", "filter.value_match.mask", mask.length, `at most ${valueSize}`);
  }
  if (match.length !== mask.length) {
    throw sizeError("VALUE", "filter.value_match.match", match.length, `${mask.length} as in mask`);
  }
}

function sizeError(what: "KEY" | "VALUE", field: string, given: number, wanted: string) {
  return fieldError(`${what}_SIZE_MISMATCH`, field, `${given} bytes given, ${wanted} wanted`);
}

/**
 * The chooser that a filter is; undefined where it chooses everything.
 *
 * @param shapes what the map's elements are made of; needed for conditions on fields
 */
export function compileFilter(
  filter: ElementFilter | undefined,
  layout: MapLayout,
  keyKind: string,
  shapes?: ElementShapes,
): Chooser | undefined {
  const parts: Chooser[] = [];
  if (filter?.keyPrefix?.length) parts.push(prefixChooser(filter.keyPrefix));
  if (filter?.keyRange) parts.push(rangeChooser(filter.keyRange, layout.keySize, keyKind));
  if (filter?.valueMatch) parts.push(matchChooser(filter.valueMatch, layout));
  if (shapes) parts.push(...fieldChoosers(filter, shapes, layout));
  if (parts.length === 0) return undefined;
  return (keys, keyAt, values, valueAt) =>
    parts.every((part) => part(keys, keyAt, values, valueAt));
}

/** The conditions on fields. Throws MapError FIELD_INVALID. */
export function fieldChoosers(
  filter: ElementFilter | undefined,
  shapes: ElementShapes,
  layout: MapLayout,
): Chooser[] {
  return (filter?.fields ?? []).map((condition, index) =>
    compileCondition(condition, shapes, layout, `filter.fields[${index}]`),
  );
}

function prefixChooser(prefix: Uint8Array): Chooser {
  return (keys, keyAt) => prefix.every((byte, offset) => keys[keyAt + offset] === byte);
}

function rangeChooser(range: KeyRange, keySize: number, keyKind: string): Chooser {
  const compare = keyKind === "index" ? compareIndices : compareBytes;
  const { start, end } = range;
  return (keys, keyAt) =>
    (!start || compare(keys, keyAt, start, keySize) >= 0) &&
    (!end || compare(keys, keyAt, end, keySize) < 0);
}

function compareBytes(keys: Buffer, at: number, bound: Uint8Array, keySize: number): number {
  return keys.compare(bound, 0, keySize, at, at + keySize);
}

function compareIndices(keys: Buffer, at: number, bound: Uint8Array): number {
  return keys.readUInt32LE(at) - Buffer.from(bound).readUInt32LE(0);
}

function matchChooser(
  { mask, match }: { mask: Uint8Array; match: Uint8Array },
  layout: MapLayout,
): Chooser {
  const wanted = mask.map((bits, offset) => bits & (match[offset] ?? 0));
  const isMatch = (values: Buffer, at: number) =>
    mask.every((bits, offset) => ((values[at + offset] ?? 0) & bits) === wanted[offset]);
  return (_keys, _keyAt, values, valueAt) => {
    for (let slot = 0; slot < layout.valueStride; slot += layout.slotSize) {
      if (isMatch(values, valueAt + slot)) return true;
    }
    return false;
  };
}
