import type { MapRef as MapRefMessage } from "@bpfmapd/client/proto";
import { fieldError, type MapAccess, type MapRef } from "../../maps/index.js";

/**
 * The reference that a request makes.
 *
 * @param access what the caller may do with the map; undefined where nobody is asked
 * @param field its path in the request
 */
export function toMapRef(
  message: MapRefMessage | undefined,
  access: MapAccess | undefined,
  field = "map",
): MapRef {
  const { ref, bootId } = message ?? { ref: { case: undefined } };
  switch (ref.case) {
    case "id":
      return { by: "id", id: ref.value, bootId, access };
    case "pinPath":
      return { by: "pinPath", pinPath: ref.value, bootId, access };
    case "name":
      return { by: "name", name: ref.value, bootId, access };
    case "held":
      return { by: "held", held: ref.value, bootId, access };
    case undefined:
      throw fieldError("FIELD_INVALID", field, "names no map: give id, pin_path, name or held");
  }
}
