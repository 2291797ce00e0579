import { type MapHost, peekElement, popElements, pushElements } from "../../maps/index.js";
import { elementsMessage } from "../messages/element-message.js";
import { toMapRef } from "../messages/map-ref-message.js";
import type { MapServiceHandlers } from "./map-service.js";

/** Queues, stacks and bloom filters. */
export function queueHandlers(
  host: MapHost,
): Pick<MapServiceHandlers, "pushElements" | "popElements" | "peekElement"> {
  return {
    async pushElements(request) {
      return pushElements(host, {
        map: toMapRef(request.map),
        values: request.values,
        count: request.count,
        overwriteOldest: request.overwriteOldest,
      });
    },

    async popElements(request) {
      const map = toMapRef(request.map);
      const elements = await popElements(host, { map, maxCount: request.maxCount || 1 });
      return { elements: elementsMessage(elements) };
    },

    async peekElement({ map, value }) {
      return peekElement(host, { map: toMapRef(map), ...(value !== undefined && { value }) });
    },
  };
}
