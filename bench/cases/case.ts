import type { Bench } from "../harness/bench.js";
import type { Row } from "../harness/row.js";

/** Work that is measured. */
export interface Case {
  /** As given to `make bench CASE=`. */
  name: string;
  about: string;
  run(bench: Bench): Promise<Row[]>;
}
