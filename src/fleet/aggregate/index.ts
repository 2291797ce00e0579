/** Folding the numbers of many hosts into one answer. */
export type { CounterSample, CounterStep, FleetStep } from "./counter-step.js";
export {
  type FleetAggregate,
  FleetFold,
  type FoldRequest,
  type HostAggregate,
  type HostSamples,
} from "./fleet-fold.js";
export type { HostKeys, KeySum, TopSums } from "./key-sums.js";
export type { Histogram, Totals } from "./totals.js";
