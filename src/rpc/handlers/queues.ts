import { type MapHost, peekElement, popElements, pushElements } from "../../maps/index.js";
import {
  elementsMessage,
  toOne,
  toPushedValues,
  toReading,
  toTyping,
} from "../messages/element-message.js";
import { toMapRef } from "../messages/map-ref-message.js";
import type { MapServiceHandlers } from "./map-service.js";

/** Queues, stacks and bloom filters. */
export function queueHandlers(
  host: MapHost,
): Pick<MapServiceHandlers, "pushElements" | "popElements" | "peekElement"> {
  return {
    async pushElements(request, { access, guard }) {
      guard?.share.takeElements(request.count);
      return pushElements(host, {
        map: toMapRef(request.map, access),
        values: toPushedValues(request),
        count: request.count,
        overwriteOldest: request.overwriteOldest,
        typing: toTyping(request.typing),
      });
    },

    async popElements(request, { access }) {
      const elements = await popElements(host, {
        map: toMapRef(request.map, access),
        maxCount: request.maxCount || 1,
        reading: toReading(request),
      });
      return { elements: elementsMessage(elements) };
    },

    async peekElement(request, { access }) {
      const { found, value, jsonValue } = await peekElement(host, {
        map: toMapRef(request.map, access),
        value: toOne(request.value, request.jsonValue, "value"),
        reading: toReading(request),
      });
      return { found, value, jsonValue: jsonValue ?? "" };
    },
  };
}
