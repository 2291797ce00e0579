import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { CallOptions } from "./call-options.js";
import { unpackColumn } from "./columns.js";
import { protocolError } from "./errors.js";
import type {
  AggregateElementsRequestSchema,
  AggregateElementsResponse,
  Log2Histogram,
  NumberFieldSchema,
  NumberTotals as NumberTotalsMessage,
  NumberType,
  TopKeys,
} from "./gen/bpfmap/v1/aggregate_pb.js";
import type { ElementFilterSchema, FieldFold, TypingSchema } from "./gen/bpfmap/v1/element_pb.js";
import type { MapRef } from "./gen/bpfmap/v1/map_pb.js";

/**
 * A whole number in each element: by a path of the map's types, such as "value.bytes", or by
 * its place in the value.
 */
export type NumberFieldInit =
  | string
  | (NumberOptions & { readonly path: string })
  | (NumberOptions & {
      /** Bytes from the start of the value, of one CPU's value for per-CPU maps. */
      readonly offset: number;
      readonly type: NumberType;
    });

/** What to tell of a number. */
export interface NumberOptions {
  /** How the slots of a per-CPU value are folded; SUM where absent. */
  readonly fold?: FieldFold;
  /** Tell how the numbers are spread. */
  readonly histogram?: boolean;
}

/** What to fold beside the fields. */
export interface AggregateOptions extends CallOptions {
  /** Which elements; all where absent. */
  filter?: MessageInitShape<typeof ElementFilterSchema>;
  /** Tell so many keys with the greatest numbers of a field (its place, from 0; 0 where absent). */
  top?: { readonly limit: number; readonly field?: number; readonly jsonKeys?: boolean };
  /** Types instead of the map's own. */
  typing?: MessageInitShape<typeof TypingSchema>;
}

/** What a map's numbers come to. */
export interface Aggregate {
  /** With `mapId`, which map this is about: a map of another id has begun anew. */
  readonly bootId: string;
  readonly mapId: number;
  /** Elements that were folded. */
  readonly elements: bigint;
  /** Whether every element that stood still meanwhile was folded once. */
  readonly complete: boolean;
  /** When reading began and ended, by the host's clock. */
  readonly readStarted: Date;
  readonly readFinished: Date;
  /** What each field comes to, in the order of the fields. */
  readonly totals: readonly NumberTotals[];
  /** The keys with the greatest numbers, where asked for. */
  readonly top: GreatestKeys | undefined;
}

/** What numbers come to, exactly. */
export interface NumberTotals {
  readonly count: bigint;
  readonly sum: bigint;
  /** Undefined for no numbers. */
  readonly min: bigint | undefined;
  readonly max: bigint | undefined;
  /** How they are spread, where asked for. */
  readonly histogram: Log2Histogram | undefined;
}

/** Keys with the greatest numbers. */
export interface GreatestKeys {
  /** By descending numbers; `json` where asked for. */
  readonly keys: readonly {
    readonly key: Uint8Array;
    readonly json?: string;
    readonly number: bigint;
  }[];
  /** The greatest number of the elements that are not among them; undefined for none. */
  readonly othersMax: bigint | undefined;
}

/** The request. */
export function aggregateRequest(
  map: MapRef,
  fields: readonly NumberFieldInit[],
  { filter, top, typing }: AggregateOptions = {},
): MessageInitShape<typeof AggregateElementsRequestSchema> {
  return { map, filter, fields: fields.map(numberField), top, typing };
}

/** The message that tells a number. */
export function numberField(init: NumberFieldInit): MessageInitShape<typeof NumberFieldSchema> {
  if (typeof init === "string") return { field: { case: "path", value: init } };
  const { fold, histogram } = init;
  if ("path" in init) return { field: { case: "path", value: init.path }, fold, histogram };
  const { offset, type } = init;
  return { field: { case: "raw", value: { offset, type } }, fold, histogram };
}

/** What an answer tells. */
export function aggregateOf(answer: AggregateElementsResponse): Aggregate {
  const { bootId, mapId, elements, complete, readStarted, readFinished, totals, top } = answer;
  if (!readStarted || !readFinished) throw protocolError("the daemon did not say when it read");
  return {
    bootId,
    mapId,
    elements,
    complete,
    readStarted: timestampDate(readStarted),
    readFinished: timestampDate(readFinished),
    totals: totals.map(totalsOf),
    top: top && greatestKeys(top),
  };
}

/** What numbers come to, as a message tells it. */
export function totalsOf({ count, sum, min, max, histogram }: NumberTotalsMessage): NumberTotals {
  return { count, sum: BigInt(sum), min: bigintOf(min), max: bigintOf(max), histogram };
}

function greatestKeys({ count, keys, jsonKeys, numbers, othersMax }: TopKeys): GreatestKeys {
  return {
    keys: unpackColumn(keys, count).map((key, index) => ({
      key,
      ...(jsonKeys[index] !== undefined && { json: jsonKeys[index] }),
      number: BigInt(numbers[index] ?? ""),
    })),
    othersMax: bigintOf(othersMax),
  };
}

/** A number in decimal; undefined for an empty text. */
function bigintOf(decimal: string): bigint | undefined {
  return decimal === "" ? undefined : BigInt(decimal);
}
