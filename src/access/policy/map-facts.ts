import type { MapType } from "../../maps/index.js";

/** What rules look at in a map that is there, or is to be made. */
export interface MapFacts {
  /** The map's name; may be empty. */
  readonly name: string;
  readonly type: MapType;
  /** Names of the daemon's holds on it. */
  readonly holds: readonly string[];
  /** Paths of its pins, as far as they were looked for. */
  readonly pins: readonly string[];
}
