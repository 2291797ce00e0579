import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type AggregateOptions,
  aggregateRequest,
  type NumberFieldInit,
  type NumberTotals,
  totalsOf,
} from "./aggregate.js";
import { BpfmapError } from "./errors.js";
import type {
  AggregateRequestSchema,
  AggregateResponse,
  TopSums as TopSumsMessage,
} from "./gen/bpfmap/fleet/v1/aggregate_pb.js";
import type { HostSelectorSchema } from "./gen/bpfmap/fleet/v1/selector_pb.js";
import type { MapRef } from "./gen/bpfmap/v1/map_pb.js";

/** What to fold over which hosts, beside the fields. */
export interface FleetAggregateOptions extends AggregateOptions {
  /** Which hosts; all unless given. */
  hosts?: MessageInitShape<typeof HostSelectorSchema>;
  /** How many keys each host tells, for `top`. Default: four times top.limit, at least 100. */
  keysPerHost?: number;
  /** Hosts that are asked at a time. Default 64. */
  concurrency?: number;
  /** Milliseconds that each host may take. Default 30000. */
  hostTimeoutMs?: number;
  /** Tell what each host has answered. */
  perHost?: boolean;
}

/** What the elements of many hosts come to. */
export interface FleetAggregate {
  readonly coverage: FleetCoverage;
  /** Elements that were folded. */
  readonly elements: bigint;
  /** What each field comes to, in the order of the fields. */
  readonly totals: readonly NumberTotals[];
  /** The keys with the greatest sums, where asked for. */
  readonly top: TopSums | undefined;
  /** When the first and the last host began to read, by their clocks. */
  readonly oldestSample: Date | undefined;
  readonly newestSample: Date | undefined;
  /** What was counted since the answer before, one for each field; empty in the first. */
  readonly steps: readonly FleetCounterStep[];
  /** What each host has answered, by id, where asked for. */
  readonly hosts: readonly FleetHostAggregate[];
}

/** Of how many hosts an answer is. */
export interface FleetCoverage {
  /** Hosts that the selector matches; answered, failed and unreachable add up to them. */
  readonly matched: number;
  readonly answered: number;
  readonly failed: number;
  readonly unreachable: number;
  /** Of those that have answered, the ones that could not read their map completely. */
  readonly incomplete: number;
  /** Why hosts did not answer: the first 100 of them by id. */
  readonly failures: readonly { readonly hostId: string; readonly error: BpfmapError }[];
}

/** Keys with the greatest sums over hosts that each tell only their greatest. */
export interface TopSums {
  /** By descending `atLeast`. The sum is known where both bounds are the same. */
  readonly keys: readonly KeySum[];
  /** No key that is not told has more; undefined where all are told. */
  readonly othersMax: bigint | undefined;
}

/** A key and between which numbers its sum lies. */
export interface KeySum {
  readonly key: Uint8Array;
  /** The key as JSON, where asked for. */
  readonly json: string | undefined;
  readonly atLeast: bigint;
  readonly atMost: bigint;
  /** Hosts that told the key. */
  readonly hosts: number;
}

/** What was counted between two answers, on the hosts that are in both. */
export interface FleetCounterStep {
  /** Never negative. */
  readonly by: bigint;
  /** The hosts' rates added up, each by its own clock. */
  readonly perSecond: number;
  readonly hosts: number;
  /** Of them, those whose map was made anew, so that its counter began at 0. */
  readonly resets: number;
  /** Of them, those where the same map has less: what was counted there is not known. */
  readonly fell: number;
}

/** What one host has answered. */
export interface FleetHostAggregate {
  readonly hostId: string;
  readonly bootId: string;
  readonly mapId: number;
  readonly elements: bigint;
  readonly complete: boolean;
  readonly totals: readonly NumberTotals[];
}

/** The request. */
export function fleetAggregateRequest(
  map: MapRef,
  fields: readonly NumberFieldInit[],
  options: FleetAggregateOptions,
  intervalMs?: number,
): MessageInitShape<typeof AggregateRequestSchema> {
  const { hosts = {}, keysPerHost = 0, concurrency = 0, hostTimeoutMs, perHost } = options;
  return {
    selector: hosts,
    elements: aggregateRequest(map, fields, options),
    ...{ keysPerHost, concurrency, perHost },
    ...(hostTimeoutMs !== undefined && { hostTimeout: durationFromMs(hostTimeoutMs) }),
    ...(intervalMs !== undefined && { interval: durationFromMs(intervalMs) }),
  };
}

/** What an answer tells. */
export function fleetAggregateOf(answer: AggregateResponse): FleetAggregate {
  const { coverage, elements, totals, top, oldestSample, newestSample, steps, hosts } = answer;
  return {
    coverage: {
      matched: coverage?.matched ?? 0,
      answered: coverage?.answered ?? 0,
      failed: coverage?.failed ?? 0,
      unreachable: coverage?.unreachable ?? 0,
      incomplete: coverage?.incomplete ?? 0,
      failures: (coverage?.failures ?? []).map(({ hostId, error }) => ({
        hostId,
        error: BpfmapError.fromStatus(error),
      })),
    },
    elements,
    totals: totals.map(totalsOf),
    top: top && topSums(top),
    oldestSample: oldestSample && timestampDate(oldestSample),
    newestSample: newestSample && timestampDate(newestSample),
    steps: steps.map(({ by, perSecond, hosts: counted, resets, fell }) => ({
      by: BigInt(by),
      perSecond,
      hosts: counted,
      resets,
      fell,
    })),
    hosts: hosts.map(({ hostId, bootId, mapId, elements: own, complete, totals: each }) => ({
      ...{ hostId, bootId, mapId, elements: own, complete },
      totals: each.map(totalsOf),
    })),
  };
}

function topSums({ keys, othersMax }: TopSumsMessage): TopSums {
  return {
    keys: keys.map(({ key, jsonKey, atLeast, atMost, hosts }) => ({
      key,
      json: jsonKey === "" ? undefined : jsonKey,
      atLeast: BigInt(atLeast),
      atMost: BigInt(atMost),
      hosts,
    })),
    othersMax: othersMax === "" ? undefined : BigInt(othersMax),
  };
}
