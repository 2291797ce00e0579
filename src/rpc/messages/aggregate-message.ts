import {
  type AggregateElementsRequest,
  type AggregateElementsResponseSchema,
  type NumberField as NumberFieldMessage,
  type NumberTotalsSchema,
  NumberType,
  type TopKeysSchema,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Aggregate,
  type AggregateRequest,
  fieldError,
  type MapAccess,
  type NumberField,
  type NumberPlace,
  type NumberTotals,
  type TypedGreatestKeys,
} from "../../maps/index.js";
import { toElementFilter, toTyping } from "./element-message.js";
import { toFieldFold } from "./field-message.js";
import { toMapRef } from "./map-ref-message.js";

/** What a request to fold asks of the maps floor. */
export function toAggregateRequest(
  request: AggregateElementsRequest,
  access: MapAccess | undefined,
): AggregateRequest {
  const { map, filter, fields, top, typing } = request;
  return {
    map: toMapRef(map, access),
    filter: toElementFilter(filter),
    fields: fields.map(toNumberField),
    top,
    typing: toTyping(typing),
  };
}

function toNumberField(message: NumberFieldMessage, index: number): NumberField {
  const { fold, histogram } = message;
  return { place: toPlace(message, `fields[${index}]`), fold: toFieldFold(fold), histogram };
}

function toPlace({ field }: NumberFieldMessage, at: string): NumberPlace {
  switch (field.case) {
    case "path":
      return { path: field.value };
    case "raw": {
      const type = NUMBER_TYPES[field.value.type];
      if (type) return { offset: field.value.offset, ...type };
      throw fieldError("FIELD_INVALID", `${at}.raw.type`, "is not one of NumberType");
    }
    case undefined:
      throw fieldError("FIELD_INVALID", at, "names no number: give a path or raw");
  }
}

type IntType = Omit<Exclude<NumberPlace, { path: string }>, "offset">;

const NUMBER_TYPES: Record<NumberType, IntType | undefined> = {
  [NumberType.UNSPECIFIED]: undefined,
  [NumberType.U8]: { bits: 8, signed: false },
  [NumberType.U16]: { bits: 16, signed: false },
  [NumberType.U32]: { bits: 32, signed: false },
  [NumberType.U64]: { bits: 64, signed: false },
  [NumberType.I8]: { bits: 8, signed: true },
  [NumberType.I16]: { bits: 16, signed: true },
  [NumberType.I32]: { bits: 32, signed: true },
  [NumberType.I64]: { bits: 64, signed: true },
};

/** The answer of AggregateElements. */
export function aggregateMessage(
  aggregate: Aggregate,
): MessageInitShape<typeof AggregateElementsResponseSchema> {
  const { bootId, mapId, elements, complete, totals, top } = aggregate;
  return {
    bootId,
    mapId,
    elements: BigInt(elements),
    complete,
    readStarted: timestampFromMs(aggregate.startTimeMs),
    readFinished: timestampFromMs(aggregate.endTimeMs),
    monotonicTime: {
      seconds: aggregate.monotonicNs / 1_000_000_000n,
      nanos: Number(aggregate.monotonicNs % 1_000_000_000n),
    },
    totals: totals.map(totalsMessage),
    ...(top && { top: topMessage(top) }),
  };
}

function totalsMessage(totals: NumberTotals): MessageInitShape<typeof NumberTotalsSchema> {
  const { count, sum, min, max, histogram } = totals;
  return {
    count: BigInt(count),
    sum: String(sum),
    min: decimal(min),
    max: decimal(max),
    ...(histogram && {
      histogram: { negative: BigInt(histogram.negative), buckets: histogram.buckets.map(BigInt) },
    }),
  };
}

function topMessage(top: TypedGreatestKeys): MessageInitShape<typeof TopKeysSchema> {
  const { count, keys, jsonKeys = [], numbers, othersMax } = top;
  return {
    count,
    keys,
    jsonKeys: [...jsonKeys],
    numbers: numbers.map(String),
    othersMax: decimal(othersMax),
  };
}

/** Empty for none. */
function decimal(number: bigint | undefined): string {
  return number === undefined ? "" : String(number);
}
