import {
  type AggregateElementsResponse,
  AggregateElementsResponseSchema,
  type NumberTotals,
  type TopKeys,
} from "@bpfmapd/client/proto";
import { fromBinary } from "@bufbuild/protobuf";
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { HostAggregate } from "./fleet-fold.js";
import type { Totals } from "./totals.js";

/** Longer than any sum that a host can have: more would only cost time to read. */
const NUMBER = /^-?\d{1,60}$/;

/**
 * What a host has answered to AggregateElements, from the encoded message. Throws Error where it
 * is none that a host makes.
 *
 * @param fields how many it was asked for
 */
export function hostAnswer(bytes: Uint8Array, fields: number): HostAggregate {
  const answer = fromBinary(AggregateElementsResponseSchema, bytes);
  const { bootId, mapId, elements, complete, totals, top } = answer;
  if (totals.length !== fields) {
    throw new Error(`${totals.length} totals came for ${fields} fields`);
  }
  return {
    ...{ bootId, mapId, elements, complete },
    ...timesOf(answer),
    totals: totals.map(totalsOf),
    top: top && topOf(top),
  };
}

function timesOf({ readStarted, readFinished, monotonicTime }: AggregateElementsResponse) {
  if (!readStarted || !readFinished || !monotonicTime) throw new Error("it has no times");
  return {
    startedMs: timestampMs(readStarted),
    finishedMs: timestampMs(readFinished),
    monotonicMs: durationMs(monotonicTime),
  };
}

function totalsOf({ count, sum, min, max, histogram }: NumberTotals): Totals {
  return {
    count,
    sum: numberOf(sum),
    min: numberOrNone(min),
    max: numberOrNone(max),
    histogram: histogram && { negative: histogram.negative, buckets: histogram.buckets },
  };
}

function topOf({ count, keys, jsonKeys, numbers, othersMax }: TopKeys) {
  const size = count === 0 ? 0 : keys.length / count;
  if (!Number.isInteger(size) || numbers.length !== count) {
    throw new Error(`${keys.length} bytes of keys and ${numbers.length} numbers came for ${count}`);
  }
  return {
    keys: numbers.map((number, index) => ({
      // A copy: the answer as a whole need not stay for the keys that do.
      key: keys.slice(index * size, (index + 1) * size),
      json: jsonKeys[index],
      number: numberOf(number),
    })),
    othersMax: numberOrNone(othersMax),
  };
}

function numberOf(decimal: string): bigint {
  if (!NUMBER.test(decimal))
    throw new Error(`${JSON.stringify(decimal.slice(0, 80))} is no number`);
  return BigInt(decimal);
}

function numberOrNone(decimal: string): bigint | undefined {
  return decimal === "" ? undefined : numberOf(decimal);
}
