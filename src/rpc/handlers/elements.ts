import {
  deleteElements,
  lookupElements,
  type MapHost,
  nextKey,
  takeElements,
  updateElements,
} from "../../maps/index.js";
import {
  elementsMessage,
  failureMessages,
  toColumns,
  toCpuTarget,
  toCpuView,
  toOnError,
  toUpdateMode,
} from "../messages/element-message.js";
import { toMapRef } from "../messages/map-ref-message.js";
import type { MapServiceHandlers } from "./map-service.js";

/** Elements by key. */
export function elementHandlers(
  host: MapHost,
): Pick<
  MapServiceHandlers,
  "lookupElements" | "updateElements" | "deleteElements" | "takeElements" | "nextKey"
> {
  return {
    async lookupElements(request) {
      const cpuView = toCpuView(request.cpuView);
      const { elements, failures } = await lookupElements(host, {
        map: toMapRef(request.map),
        keys: request.keys,
        count: request.count,
        lock: request.lock,
        onError: toOnError(request.onError),
        ...(cpuView !== undefined && { cpuView }),
      });
      return { elements: elementsMessage(elements), failures: failureMessages(failures) };
    },

    async updateElements(request) {
      const cpuTarget = toCpuTarget(request.cpuTarget);
      const { applied, failures } = await updateElements(host, {
        map: toMapRef(request.map),
        elements: toColumns(request.elements),
        mode: toUpdateMode(request.mode),
        lock: request.lock,
        onError: toOnError(request.onError),
        ...(cpuTarget !== undefined && { cpuTarget }),
      });
      return { applied, failures: failureMessages(failures) };
    },

    async deleteElements(request) {
      const { applied, failures } = await deleteElements(host, {
        map: toMapRef(request.map),
        keys: request.keys,
        count: request.count,
        onError: toOnError(request.onError),
      });
      return { applied, failures: failureMessages(failures) };
    },

    async takeElements(request) {
      const { elements, failures } = await takeElements(host, {
        map: toMapRef(request.map),
        keys: request.keys,
        count: request.count,
        onError: toOnError(request.onError),
      });
      return { elements: elementsMessage(elements), failures: failureMessages(failures) };
    },

    async nextKey(request) {
      return { nextKey: await nextKey(host, toMapRef(request.map), request.key) };
    },
  };
}
