import type {
  AggregateRequest,
  AggregateResponseSchema,
  HostAggregateSchema,
  NumberTotalsSchema,
  TopSumsSchema,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type {
  AggregateCall,
  AggregateRound,
  FleetStep,
  HostAggregate,
  TopSums,
  Totals,
} from "../../fleet/index.js";
import { fieldError } from "../../maps/index.js";
import { DEFAULT_CONCURRENCY, DEFAULT_HOST_TIMEOUT_MS, hostErrorBytes } from "./fan-out-message.js";

/** What is to be folded over which hosts, without who asks. Throws FIELD_INVALID. */
export function toAggregateCall(
  request: AggregateRequest,
): Omit<AggregateCall, "origin" | "requestId"> {
  const { selector, elements, keysPerHost, concurrency, hostTimeout, interval, perHost } = request;
  if (!selector) throw fieldError("FIELD_INVALID", "selector", "is required");
  if (!elements) throw fieldError("FIELD_INVALID", "elements", "is required");
  return {
    ...{ selector, elements, keysPerHost, perHost },
    concurrency: concurrency || DEFAULT_CONCURRENCY,
    hostTimeoutMs: hostTimeout ? durationMs(hostTimeout) : DEFAULT_HOST_TIMEOUT_MS,
    intervalMs: interval && durationMs(interval),
  };
}

/** What a round comes to. */
export function aggregateRoundMessage(
  round: AggregateRound,
): MessageInitShape<typeof AggregateResponseSchema> {
  const { matched, failed, unreachable, failures, aggregate, hosts } = round;
  const { elements, totals, top, oldestMs, newestMs, steps = [] } = aggregate;
  return {
    coverage: {
      ...{ matched, answered: aggregate.hosts, failed, unreachable },
      incomplete: aggregate.incomplete,
      failures: failures.map(({ hostId, error }) => ({ hostId, error: hostErrorBytes(error) })),
    },
    elements,
    totals: totals.map(totalsMessage),
    ...(top && { top: topMessage(top) }),
    ...(oldestMs !== undefined && { oldestSample: timestampFromMs(oldestMs) }),
    ...(newestMs !== undefined && { newestSample: timestampFromMs(newestMs) }),
    steps: steps.map(stepMessage),
    hosts: hosts.map(([hostId, host]) => hostMessage(hostId, host)),
  };
}

function hostMessage(
  hostId: string,
  { bootId, mapId, elements, complete, startedMs, totals }: HostAggregate,
): MessageInitShape<typeof HostAggregateSchema> {
  return {
    ...{ hostId, bootId, mapId, elements, complete },
    readStarted: timestampFromMs(startedMs),
    totals: totals.map(totalsMessage),
  };
}

function totalsMessage(totals: Totals): MessageInitShape<typeof NumberTotalsSchema> {
  const { count, sum, min, max, histogram } = totals;
  return {
    ...{ count, sum: String(sum), min: decimal(min), max: decimal(max) },
    ...(histogram && {
      histogram: { negative: histogram.negative, buckets: [...histogram.buckets] },
    }),
  };
}

function topMessage({ keys, othersMax }: TopSums): MessageInitShape<typeof TopSumsSchema> {
  return {
    keys: keys.map(({ key, json = "", atLeast, atMost, hosts }) => ({
      ...{ key, jsonKey: json, atLeast: String(atLeast), atMost: String(atMost), hosts },
    })),
    othersMax: decimal(othersMax),
  };
}

function stepMessage({ by, perSecond, hosts, resets, fell }: FleetStep) {
  return { by: String(by), perSecond, hosts, resets, fell };
}

/** Empty for none. */
function decimal(number: bigint | undefined): string {
  return number === undefined ? "" : String(number);
}
