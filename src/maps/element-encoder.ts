import { bytesCodec } from "./bytes-codec.js";
import type { Columns, CpuTarget } from "./columns.js";
import type { EncodeContext } from "./element-codec.js";
import type { ElementsInput, InputColumn, KeysInput, Typing } from "./element-input.js";
import { jsonCodec } from "./json-codec.js";
import { fieldError } from "./map-error.js";
import type { MapHost } from "./map-host.js";
import { objectCodec } from "./object-codec.js";
import type { ObjectKey, ObjectValue } from "./object-ref.js";
import { OpenFds } from "./open-fds.js";
import type { OpenMap } from "./open-map.js";

/** What beside the elements says what they mean. */
export interface EncodeOptions {
  readonly typing?: Typing | undefined;
  readonly target?: CpuTarget | undefined;
  /** Path of the elements in the request; "" where their columns are fields of its own. */
  readonly field?: string;
  /** Whether the request has one key or value, in fields named so: "json_key". */
  readonly single?: boolean;
}

/**
 * Does work with the elements of a request as columns of the map's bytes, all of them
 * checked. What was opened for them (programs, sockets, …) is closed after the work.
 */
export function withElements<T>(
  host: MapHost,
  map: OpenMap,
  input: ElementsInput,
  options: EncodeOptions,
  work: (columns: Columns) => T | Promise<T>,
): Promise<T> {
  return withFds(host, map, options, async (context) => {
    const { count } = input;
    const keys = await encodeKeys(input.keys, count, options, context);
    const values = await encodeValues(input.values, count, options, context);
    return work({ count, keys, values });
  });
}

/** As {@link withElements}, with keys alone. */
export function withKeys<T>(
  host: MapHost,
  map: OpenMap,
  { count, keys }: KeysInput,
  options: EncodeOptions,
  work: (keys: Uint8Array) => T | Promise<T>,
): Promise<T> {
  return withFds(host, map, options, async (context) =>
    work(await encodeKeys(keys, count, options, context)),
  );
}

/** As {@link withElements}, with values alone. */
export function withValues<T>(
  host: MapHost,
  map: OpenMap,
  { count, values }: { readonly count: number; readonly values: InputColumn<ObjectValue> },
  options: EncodeOptions,
  work: (values: Uint8Array) => T | Promise<T>,
): Promise<T> {
  return withFds(host, map, options, async (context) =>
    work(await encodeValues(values, count, options, context)),
  );
}

async function withFds<T>(
  host: MapHost,
  map: OpenMap,
  { typing, target }: EncodeOptions,
  use: (context: EncodeContext) => Promise<T>,
): Promise<T> {
  const fds = new OpenFds();
  try {
    return await use({ host, map, typing, target, fds });
  } finally {
    fds.close();
  }
}

function encodeKeys(
  column: InputColumn<ObjectKey>,
  count: number,
  options: EncodeOptions,
  context: EncodeContext,
): Uint8Array | Promise<Uint8Array> {
  const field = (form: string) => path(options, `${form}key`);
  if (column instanceof Uint8Array) {
    return bytesCodec.encodeKeys(column, count, field(""), context);
  }
  const at = field(column.form === "json" ? "json_" : "object_");
  checkCount(column.items, count, at);
  return column.form === "json"
    ? jsonCodec.encodeKeys(column.items, count, at, context)
    : objectCodec.encodeKeys(column.items, count, at, context);
}

function encodeValues(
  column: InputColumn<ObjectValue>,
  count: number,
  options: EncodeOptions,
  context: EncodeContext,
): Uint8Array | Promise<Uint8Array> {
  const field = (form: string) => path(options, `${form}value`);
  if (column instanceof Uint8Array) {
    return bytesCodec.encodeValues(column, count, field(""), context);
  }
  const at = field(column.form === "json" ? "json_" : "object_");
  checkCount(column.items, count, at);
  return column.form === "json"
    ? jsonCodec.encodeValues(column.items, count, at, context)
    : objectCodec.encodeValues(column.items, count, at, context);
}

function checkCount(items: readonly unknown[], count: number, field: string): void {
  if (items.length === count) return;
  throw fieldError("FIELD_INVALID", field, `${items.length} given, count says ${count}`);
}

function path({ field, single }: EncodeOptions, column: string): string {
  const name = single ? column : `${column}s`;
  return field ? `${field}.${name}` : name;
}
