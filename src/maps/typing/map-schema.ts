import type { Typing } from "../element-input.js";
import type { MapHost } from "../map-host.js";
import type { MapRef } from "../map-ref.js";
import { withMap } from "../resolve.js";
import { typesOf } from "./map-types.js";
import { type MapSchema, schemaOf } from "./schema.js";

/** Tells the types of a map's keys and values. Throws MapError NO_TYPES and what Typing can. */
export function getMapSchema(
  host: MapHost,
  ref: MapRef,
  typing: Typing | undefined,
): Promise<MapSchema> {
  return withMap(host, ref, (map) => schemaOf(typesOf(host, map, typing)));
}
