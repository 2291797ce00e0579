import { requireWalkable } from "../dump.js";
import type { Typing } from "../element-input.js";
import { fieldError } from "../map-error.js";
import type { MapHost } from "../map-host.js";
import type { MapLayout } from "../map-layout.js";
import type { MapRef } from "../map-ref.js";
import { withMap } from "../resolve.js";
import type { AggregateArgs, AggregateResult, FoldedField } from "../scan/aggregate-job.js";
import { checkFilter, type ElementFilter, fieldChoosers } from "../scan/element-filter.js";
import { scanTarget } from "../scan/scan-target.js";
import { resultOf } from "../threads/thread-pool.js";
import { fieldAt } from "../typing/field-condition.js";
import type { ElementShapes, Field } from "../typing/field-path.js";
import type { FieldFold } from "../typing/field-reader.js";
import { decoderOf } from "../typing/json-columns.js";
import { shapesIn } from "../typing/request-shapes.js";
import type { GreatestKeys } from "./key-ranking.js";
import { wideReader } from "./wide-number.js";

/** Where a whole number is: a path by the map's types, or a place in the value. */
export type NumberPlace =
  | { readonly path: string }
  | { readonly offset: number; readonly bits: 8 | 16 | 32 | 64; readonly signed: boolean };

/** A number of each element, and what to tell of it. */
export interface NumberField {
  readonly place: NumberPlace;
  /** How the slots of a per-CPU value are folded first. */
  readonly fold: FieldFold;
  readonly histogram: boolean;
}

/** What to fold; the contract's `AggregateElementsRequest`. */
export interface AggregateRequest {
  readonly map: MapRef;
  readonly filter?: ElementFilter | undefined;
  readonly fields: readonly NumberField[];
  /** Tell the keys with the greatest numbers of a field, by its place in `fields`. */
  readonly top?:
    | { readonly field: number; readonly limit: number; readonly jsonKeys: boolean }
    | undefined;
  readonly typing?: Typing | undefined;
}

/** What a map's numbers come to; the contract's `AggregateElementsResponse`. */
export interface Aggregate extends Omit<AggregateResult, "top"> {
  readonly bootId: string;
  readonly mapId: number;
  /** Milliseconds since the epoch, by the host's clock. */
  readonly startTimeMs: number;
  readonly endTimeMs: number;
  /** Nanoseconds of CLOCK_MONOTONIC at the end. */
  readonly monotonicNs: bigint;
  readonly top: TypedGreatestKeys | undefined;
}

/** Keys with the greatest numbers, maybe with what they are as JSON. */
export interface TypedGreatestKeys extends GreatestKeys {
  readonly jsonKeys?: readonly string[] | undefined;
}

/** Folds numbers of a map's elements in a scan thread. */
export async function aggregateElements(
  host: MapHost,
  request: AggregateRequest,
  signal: AbortSignal,
): Promise<Aggregate> {
  return withMap(host, request.map, async (map) => {
    const { filter, top, typing } = request;
    requireWalkable(host, map);
    checkFilter(filter, map.layout);
    const shapes = needsTypes(request) ? shapesIn(host, map, typing) : undefined;
    if (shapes) fieldChoosers(filter, shapes, map.layout);
    const args: AggregateArgs = {
      target: scanTarget(host, map),
      filter,
      shapes,
      fields: request.fields.map((field, index) => foldedField(field, index, map.layout, shapes)),
      top: top && { field: top.field, limit: top.limit },
      dedupMemoryBytes: host.limits.dedupMemoryBytes,
    };
    const startTimeMs = Date.now();
    const result = await resultOf(
      host.threads.run<never, AggregateResult>("aggregate", args, signal),
    );
    return {
      ...result,
      bootId: host.identity.bootId,
      mapId: map.info.id,
      startTimeMs,
      endTimeMs: Date.now(),
      monotonicNs: process.hrtime.bigint(),
      top: result.top && (top?.jsonKeys ? withTexts(result.top, map.layout, shapes!) : result.top),
    };
  });
}

function needsTypes({ fields, filter, top }: AggregateRequest): boolean {
  const hasPath = fields.some(({ place }) => "path" in place);
  return hasPath || (filter?.fields?.length ?? 0) > 0 || (top?.jsonKeys ?? false);
}

function foldedField(
  { place, fold, histogram }: NumberField,
  index: number,
  layout: MapLayout,
  shapes: ElementShapes | undefined,
): FoldedField {
  const at = `fields[${index}]`;
  const path = "path" in place ? `${at}.path` : `${at}.raw`;
  const field =
    "path" in place
      ? fieldAt(shapes!, place.path, path)
      : rawField(place, layout, `${path}.offset`);
  // Refuses what is no whole number.
  wideReader(field, layout, fold, path);
  return { field, fold, histogram };
}

function rawField(
  { offset, bits, signed }: Exclude<NumberPlace, { path: string }>,
  { valueSize }: MapLayout,
  path: string,
): Field {
  const size = bits / 8;
  if (offset + size > valueSize) {
    const why = `${size} bytes from ${offset} on are outside the value, which has ${valueSize}`;
    throw fieldError("FIELD_INVALID", path, why);
  }
  const name = `${signed ? "i" : "u"}${bits}`;
  return { side: "value", bitOffset: offset * 8, shape: { kind: "int", name, bits, signed } };
}

function withTexts(
  top: GreatestKeys,
  { keySize }: MapLayout,
  { key }: ElementShapes,
): TypedGreatestKeys {
  const decode = decoderOf(key);
  const bytes = Buffer.from(top.keys.buffer, top.keys.byteOffset, top.keys.byteLength);
  const jsonKeys = Array.from({ length: top.count }, (_, index) => decode(bytes, index * keySize));
  return { ...top, jsonKeys };
}
