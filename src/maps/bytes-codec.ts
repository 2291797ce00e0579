import { checkKeys, checkKeysInRange, checkValues, writtenValueSize } from "./element-check.js";
import type { ElementCodec, EncodeContext } from "./element-codec.js";
import { fieldError } from "./map-error.js";
import { isKeyless } from "./map-layout.js";

/** Columns that are the map's bytes already: only their sizes and ranges are in question. */
export const bytesCodec: ElementCodec<Uint8Array, Uint8Array> = {
  encodeKeys(keys, count, field, { host, map }) {
    const keyKind = host.capabilities.of(map.info.type)?.keyKind;
    if (keyKind === "object") {
      throw fieldError(
        "FIELD_INVALID",
        field,
        `the keys of ${map.label} are kernel objects: name them in object_keys`,
      );
    }
    checkKeys(keys, count, map.layout, field);
    if (!isKeyless(map.info.type)) checkKeysInRange(keys, map.layout, keyKind, field);
    return keys;
  },

  encodeValues(values, count, field, context) {
    refuseObjects(field, context);
    checkValues(values, count, writtenValueSize(context.map.layout, context.target), field);
    return values;
  },
};

/** The kernel would take a number for an fd of the daemon's: never a client's to give. */
function refuseObjects(field: string, { host, map }: EncodeContext): void {
  if (host.capabilities.of(map.info.type)?.valueKind !== "object") return;
  throw fieldError(
    "FIELD_INVALID",
    field,
    `the values of ${map.label} are kernel objects: name them in object_values`,
  );
}
