import type { Reading, Typing } from "../element-input.js";
import type { MapHost } from "../map-host.js";
import type { OpenMap } from "../open-map.js";
import { type ElementFilter, fieldChoosers } from "../scan/element-filter.js";
import { compileOrder, type ElementOrder } from "./field-condition.js";
import type { ElementShapes } from "./field-path.js";
import { shapesOf, typesOf } from "./map-types.js";

/** What in a request over a whole map may need the map's types. */
export interface TypedRequest {
  readonly filter?: ElementFilter | undefined;
  readonly order?: ElementOrder | undefined;
  readonly reading?: Partial<Reading> | undefined;
}

/**
 * The shapes of the map's elements, where a request needs them: for JSON, or for
 * conditions and an order, which are checked. Undefined where it needs none.
 *
 * @throws MapError NO_TYPES, TYPE_NOT_FOUND, TYPE_SIZE_MISMATCH, FIELD_INVALID
 */
export function requestShapes(
  host: MapHost,
  map: OpenMap,
  { filter, order, reading }: TypedRequest,
): ElementShapes | undefined {
  const hasConditions = (filter?.fields?.length ?? 0) > 0;
  const isJson = (reading?.format ?? "bytes") !== "bytes";
  if (!hasConditions && !order && !isJson) return undefined;
  const shapes = shapesIn(host, map, reading?.typing);
  fieldChoosers(filter, shapes, map.layout);
  if (order) compileOrder(order, shapes, map.layout, "order");
  return shapes;
}

/** The shapes of the map's elements by the types that a request names, or by its own. */
export function shapesIn(host: MapHost, map: OpenMap, typing: Typing | undefined): ElementShapes {
  return shapesOf(host, map, typesOf(host, map, typing));
}
