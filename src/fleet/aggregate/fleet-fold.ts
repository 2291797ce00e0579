import { addSteps, type CounterSample, counterStep, type FleetStep } from "./counter-step.js";
import { type HostKeys, KeySums, type TopSums } from "./key-sums.js";
import { addTotals, NO_NUMBERS, type Totals } from "./totals.js";

/** What one host's elements come to. */
export interface HostAggregate {
  readonly bootId: string;
  readonly mapId: number;
  readonly elements: bigint;
  /** Whether every element that stood still meanwhile was folded once. */
  readonly complete: boolean;
  /** When reading began and ended, in milliseconds since the epoch by the host's clock. */
  readonly startedMs: number;
  readonly finishedMs: number;
  /** When it ended, in milliseconds by a clock that counts from the host's boot. */
  readonly monotonicMs: number;
  /** One for each field. */
  readonly totals: readonly Totals[];
  readonly top: Omit<HostKeys, "othersMin"> | undefined;
}

/** What was asked for. */
export interface FoldRequest {
  /** How many numbers each element has. */
  readonly fields: number;
  /** The keys with the greatest sums of a field. */
  readonly top?: { readonly field: number; readonly limit: number } | undefined;
}

/** What the elements of many hosts come to. */
export interface FleetAggregate {
  readonly elements: bigint;
  /** Hosts that have answered. */
  readonly hosts: number;
  /** Of them, those that could not read their map completely. */
  readonly incomplete: number;
  readonly totals: readonly Totals[];
  readonly top: TopSums | undefined;
  /** When the first and the last host began to read; undefined where none has answered. */
  readonly oldestMs: number | undefined;
  readonly newestMs: number | undefined;
  /** One for each field; undefined where there is nothing before to compare with. */
  readonly steps: readonly FleetStep[] | undefined;
}

/** What the counters of hosts stood at, by host: one sample for each field. */
export type HostSamples = ReadonlyMap<string, readonly CounterSample[]>;

/**
 * Folds hosts as they answer, in any order, in memory that does not grow with the hosts but
 * for a sample of each.
 */
export class FleetFold {
  readonly #request: FoldRequest;
  readonly #before: HostSamples | undefined;
  readonly #samples = new Map<string, readonly CounterSample[]>();
  readonly #keySums: KeySums | undefined;
  #totals: readonly Totals[];
  #elements = 0n;
  #incomplete = 0;
  #oldestMs: number | undefined;
  #newestMs: number | undefined;

  /** @param before the samples of the fold before, for steps */
  constructor(request: FoldRequest, before?: HostSamples) {
    this.#request = request;
    this.#before = before;
    this.#totals = Array.from({ length: request.fields }, () => NO_NUMBERS);
    this.#keySums = request.top && new KeySums(request.top.limit);
  }

  /** Adds a host's answer; each host answers once. */
  add(hostId: string, host: HostAggregate): void {
    const { totals, top, startedMs } = host;
    this.#elements += host.elements;
    if (!host.complete) this.#incomplete++;
    this.#totals = this.#totals.map((sum, index) => addTotals(sum, totals[index] ?? NO_NUMBERS));
    this.#samples.set(hostId, samplesOf(host));
    this.#oldestMs = Math.min(this.#oldestMs ?? startedMs, startedMs);
    this.#newestMs = Math.max(this.#newestMs ?? startedMs, startedMs);
    if (top) this.#keySums?.add({ ...top, othersMin: this.#leastOf(totals) });
  }

  /** What the counters stood at, for the fold that comes next. */
  get samples(): HostSamples {
    return this.#samples;
  }

  result(): FleetAggregate {
    const { top } = this.#request;
    return {
      elements: this.#elements,
      hosts: this.#samples.size,
      incomplete: this.#incomplete,
      totals: this.#totals,
      top: top && this.#keySums?.top(top.limit),
      oldestMs: this.#oldestMs,
      newestMs: this.#newestMs,
      steps: this.#before && this.#steps(this.#before),
    };
  }

  #leastOf(totals: readonly Totals[]): bigint {
    return totals[this.#request.top?.field ?? 0]?.min ?? 0n;
  }

  #steps(before: HostSamples): FleetStep[] {
    return Array.from({ length: this.#request.fields }, (_, field) => {
      const steps = [...this.#samples].flatMap(([hostId, samples]) => {
        const earlier = before.get(hostId)?.[field];
        return earlier ? [counterStep(earlier, samples[field]!)] : [];
      });
      return addSteps(steps);
    });
  }
}

function samplesOf(host: HostAggregate): CounterSample[] {
  const { bootId, mapId, finishedMs: timeMs, monotonicMs } = host;
  return host.totals.map(({ sum }) => ({ bootId, mapId, timeMs, monotonicMs, sum }));
}
