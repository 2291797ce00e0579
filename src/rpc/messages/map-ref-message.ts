import type { MapRef as MapRefMessage } from "@bpfmapd/client/proto";
import { fieldError, type MapRef } from "../../maps/index.js";

/** The reference that a request makes; `field` is its path in the request. */
export function toMapRef(message: MapRefMessage | undefined, field = "map"): MapRef {
  const { ref, bootId } = message ?? { ref: { case: undefined } };
  switch (ref.case) {
    case "id":
      return { by: "id", id: ref.value, bootId };
    case "pinPath":
      return { by: "pinPath", pinPath: ref.value, bootId };
    case "name":
      return { by: "name", name: ref.value, bootId };
    case "held":
      return { by: "held", held: ref.value, bootId };
    case undefined:
      throw fieldError("FIELD_INVALID", field, "names no map: give id, pin_path, name or held");
  }
}
