import type { MapRecord } from "./map-record.js";
import type { MapRef } from "./map-ref.js";
import type { MapType } from "./map-type.js";
import type { OpenMap } from "./open-map.js";

/** A map that is to be made, or to be found by another pin or hold. */
export interface NewMap {
  readonly name: string;
  readonly type: MapType;
  readonly pinPath?: string | undefined;
  readonly hold?: string | undefined;
}

/**
 * What the one who asks may do, as far as maps come into it. References to maps carry it
 * down to where they are resolved; where they carry none, nobody asks who it is.
 */
export interface MapAccess {
  /** Whether maps are only read, so that their fds need to be no more than readable. */
  readonly readOnly: boolean;
  /** Whether it depends on the pins of maps which of them may be seen. */
  readonly looksAtPins: boolean;
  /**
   * Throws ACCESS_DENIED unless the map may be used.
   *
   * @param ref how the request names the map, if it does
   */
  admit(map: OpenMap, ref?: MapRef): Promise<void>;
  /** Throws ACCESS_DENIED unless such a map may be made, or found so. */
  admitNew(map: NewMap): void;
  /** Tells which maps may be seen in a listing; `pins` are those of the maps, by id. */
  visibleWith(pins: ReadonlyMap<number, readonly string[]>): (map: MapRecord) => boolean;
}
