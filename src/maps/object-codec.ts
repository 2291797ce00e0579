import type { ElementCodec, EncodeContext } from "./element-codec.js";
import { fieldError } from "./map-error.js";
import type { ObjectKey, ObjectValue } from "./object-ref.js";
import { encodeObjectKey } from "./objects/encode-key.js";
import { encodeObjectValue } from "./objects/encode-value.js";
import { objectKeyKind } from "./objects/key-kind.js";
import { objectError } from "./objects/object-error.js";
import { objectValuesOf } from "./objects/value-kind.js";
import { Turns } from "./turns.js";

/** Columns of kernel objects, which are opened for the time of the request. */
export const objectCodec: ElementCodec<readonly ObjectKey[], readonly ObjectValue[]> = {
  async encodeKeys(keys, count, field, context) {
    const { keySize, type } = context.map.layout;
    const wanted = objectKeyKind(type);
    if (wanted === undefined) {
      throw fieldError("FIELD_INVALID", field, `the keys of ${context.map.label} are bytes`);
    }
    return encodeAll(keys, keySize, count, field, wanted, (key, into, at) =>
      encodeObjectKey(key, into, at, context),
    );
  },

  async encodeValues(values, count, field, context) {
    const { map } = context;
    const wanted = writtenKind(context, field);
    const size = map.layout.valueStride;
    return encodeAll(values, size, count, field, wanted, (value, into, at) =>
      encodeObjectValue(value, into, at, context),
    );
  },
};

function writtenKind({ map }: EncodeContext, field: string): ObjectValue["kind"] {
  const kind = objectValuesOf(map.info.type)?.written;
  if (kind !== undefined) return kind;
  throw fieldError(
    "FIELD_INVALID",
    field,
    `the values of ${map.label} are no objects that can be written`,
  );
}

/** Names of kinds in the contract's spelling. */
const NAMES: Partial<Record<string, string>> = { perfEvent: "perf_event" };

async function encodeAll<Item extends { readonly kind: string }>(
  items: readonly Item[],
  size: number,
  count: number,
  field: string,
  wanted: string,
  encode: (item: Item, into: Buffer, field: string) => Promise<void>,
): Promise<Buffer> {
  const column = Buffer.alloc(count * size);
  const turns = new Turns();
  for (const [index, item] of items.entries()) {
    const at = `${field}[${index}]`;
    if (item.kind !== wanted) {
      const [given, name] = [item.kind, wanted].map((kind) => NAMES[kind] ?? kind);
      const why = `${given} given, this map takes ${name}`;
      throw objectError("OBJECT_WRONG_KIND", at, why).with({ index: String(index) });
    }
    await encode(item, column.subarray(index * size, (index + 1) * size), at);
    await turns.yieldIfDue();
  }
  return column;
}
