import type { CpuTarget } from "./columns.js";
import type { Typing } from "./element-input.js";
import type { MapHost } from "./map-host.js";
import type { OpenFds } from "./open-fds.js";
import type { OpenMap } from "./open-map.js";

/** What codecs know of the request whose columns they encode. */
export interface EncodeContext {
  readonly host: MapHost;
  readonly map: OpenMap;
  readonly typing?: Typing | undefined;
  /** Whether values are of one CPU's slot or of all slots. */
  readonly target?: CpuTarget | undefined;
  /**
   * Where file descriptors go that the encoded columns name; they stay open until the
   * elements have been written.
   */
  readonly fds: OpenFds;
}

/**
 * Makes columns of the map's bytes of one form of input. What it answers is `count` whole
 * keys or values, checked: nothing has been written yet, so whatever is wrong with any of
 * them is thrown (MapError, with `field` as the path of what is at fault).
 *
 * @typeParam Keys column of keys in this form
 * @typeParam Values column of values in this form
 */
export interface ElementCodec<Keys, Values> {
  /** @param field path of the column in the request, such as "elements.json_keys" */
  encodeKeys(
    keys: Keys,
    count: number,
    field: string,
    context: EncodeContext,
  ): Uint8Array | Promise<Uint8Array>;
  /** @param field path of the column in the request, such as "elements.json_values" */
  encodeValues(
    values: Values,
    count: number,
    field: string,
    context: EncodeContext,
  ): Uint8Array | Promise<Uint8Array>;
}
