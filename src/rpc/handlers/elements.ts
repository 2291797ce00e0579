import {
  deleteElements,
  type ElementsAnswer,
  lookupElements,
  type MapHost,
  nextKey,
  takeElements,
  updateElements,
} from "../../maps/index.js";
import {
  elementsMessage,
  failureMessages,
  toCpuTarget,
  toCpuView,
  toElementsInput,
  toKeysInput,
  toOnError,
  toOne,
  toReading,
  toTyping,
  toUpdateMode,
} from "../messages/element-message.js";
import { encodeValues } from "../messages/lookup-frame.js";
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
    async lookupElements(request, { access }) {
      const cpuView = toCpuView(request.cpuView);
      const { elements, failures } = await lookupElements(host, {
        map: toMapRef(request.map, access),
        ...toKeysInput(request),
        typing: toTyping(request.typing),
        lock: request.lock,
        onError: toOnError(request.onError),
        reading: toReading(request),
        ...(cpuView !== undefined && { cpuView }),
      });
      if (isValuesAlone(elements) && failures.length === 0)
        return encodeValues(elements.count, elements.values);
      return { elements: elementsMessage(elements), failures: failureMessages(failures) };
    },

    async updateElements(request, { access, guard }) {
      guard?.share.takeElements(request.elements?.count ?? 0);
      const cpuTarget = toCpuTarget(request.cpuTarget);
      const { applied, failures } = await updateElements(host, {
        map: toMapRef(request.map, access),
        elements: toElementsInput(request.elements, access),
        typing: toTyping(request.typing),
        mode: toUpdateMode(request.mode),
        lock: request.lock,
        onError: toOnError(request.onError),
        ...(cpuTarget !== undefined && { cpuTarget }),
      });
      return { applied, failures: failureMessages(failures) };
    },

    async deleteElements(request, { access }) {
      const { applied, failures } = await deleteElements(host, {
        map: toMapRef(request.map, access),
        ...toKeysInput(request),
        typing: toTyping(request.typing),
        onError: toOnError(request.onError),
      });
      return { applied, failures: failureMessages(failures) };
    },

    async takeElements(request, { access }) {
      const { elements, failures } = await takeElements(host, {
        map: toMapRef(request.map, access),
        ...toKeysInput(request),
        typing: toTyping(request.typing),
        onError: toOnError(request.onError),
        reading: toReading(request),
      });
      return { elements: elementsMessage(elements), failures: failureMessages(failures) };
    },

    async nextKey(request, { access }) {
      const key = toOne(request.key, request.jsonKey, "key");
      const next = await nextKey(host, toMapRef(request.map, access), key, toReading(request));
      return { nextKey: next.keys, nextJsonKey: next.jsonKeys?.[0] ?? "" };
    },
  };
}

function isValuesAlone({ keys, objectValues, jsonKeys, jsonValues }: ElementsAnswer): boolean {
  return keys.length === 0 && !objectValues && !jsonKeys && !jsonValues;
}
