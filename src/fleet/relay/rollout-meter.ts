import {
  AggregateElementsRequestSchema,
  type CallOrigin,
  HostSelectorSchema,
} from "@bpfmapd/client/proto";
import { create, fromJson } from "@bufbuild/protobuf";
import type { CounterGate } from "../rollout/index.js";
import type { AggregateCall, AggregateRound } from "./aggregate-hosts.js";

const AT_A_TIME = 64;
const HOST_TIMEOUT_MS = 10_000;

/** Folds numbers of many hosts. */
export type AggregateHosts = (
  call: AggregateCall,
  signal: AbortSignal,
) => AsyncIterable<AggregateRound>;

/** Whose numbers are summed, and for whom. */
export interface Measured {
  readonly hostIds: readonly string[];
  /** Who has put the generation: each host decides whether that one may read. */
  readonly origin: CallOrigin;
  readonly requestId: string;
}

/**
 * Numbers of counter gates, by their names, summed over hosts. One that a host has not told is
 * left out.
 */
export async function measureCounters(
  gates: readonly CounterGate[],
  { hostIds, origin, requestId }: Measured,
  aggregate: AggregateHosts,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const counters = new Map<string, number>();
  if (hostIds.length === 0) return counters;
  const selector = create(HostSelectorSchema, { hostIds: [...hostIds] });
  for (const { name, query } of gates) {
    const call: AggregateCall = {
      ...{ selector, origin, requestId, concurrency: AT_A_TIME, hostTimeoutMs: HOST_TIMEOUT_MS },
      elements: fromJson(AggregateElementsRequestSchema, query),
      ...{ keysPerHost: 0, intervalMs: undefined, perHost: false },
    };
    for await (const round of aggregate(call, signal)) {
      const sum = round.aggregate.totals[0]?.sum;
      const isWhole = round.aggregate.hosts === hostIds.length;
      if (isWhole && sum !== undefined) counters.set(name, Number(sum));
    }
  }
  return counters;
}
