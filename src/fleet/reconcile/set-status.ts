import type { Difference } from "./target-map.js";

/** How a set is in a host's map. Plain data. */
export interface SetStatus extends Difference {
  readonly set: string;
  /** Id of the set, since one of its name may be made anew. */
  readonly id: string;
  /** The generation that the host is to have. */
  readonly wanted: number;
  /** The generation that is in the map; 0 for none, or a mixture. */
  readonly applied: number;
  /** Digest of the contents that are in the map; "" for none. */
  readonly digest: string;
  /** Whether the last step failed, and why: for people. */
  readonly error: string;
  /** A word for programs, such as "MAP_NOT_FOUND"; "" where there is no error. */
  readonly errorReason: string;
  /** When the map was last found, or made, right, or compared: milliseconds since 1970; 0 for never. */
  readonly verifiedAt: number;
  /** When the generation came into the map. */
  readonly appliedAt: number;
  /** How often others had changed the map, since this process began. */
  readonly drifts: number;
  /** What others had changed when it was last found. */
  readonly lastDrift: Difference & { readonly at: number };
}
