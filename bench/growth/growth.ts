import type { Bench } from "../harness/bench.js";
import type { Series } from "./series.js";

/** A cause of costs, and what it costs when it grows. */
export interface Growth {
  /** As given to `make bench-growth CASE=`. */
  name: string;
  about: string;
  run(bench: Bench): Promise<Series[]>;
}
