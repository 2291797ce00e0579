import { bytesCodec } from "./bytes-codec.js";
import { writtenValueSize } from "./element-check.js";
import type { ElementCodec, EncodeContext } from "./element-codec.js";
import { MapError } from "./map-error.js";
import { Turns } from "./turns.js";
import type { Encoder } from "./typing/encoder.js";
import type { ElementShapes } from "./typing/field-path.js";
import { encodeItem, encoderOf, wholeValueEncoder } from "./typing/json-columns.js";
import { JsonProblem } from "./typing/json-reader.js";
import { shapesIn } from "./typing/request-shapes.js";

/** Columns of JSON texts of the map's types. */
export const jsonCodec: ElementCodec<readonly string[], readonly string[]> = {
  async encodeKeys(keys, count, field, context) {
    const { keySize } = context.map.layout;
    const encode = encoderOf(shapesOf(context).key);
    const column = await encodeColumn(encode, keys, keySize, "key", field);
    return bytesCodec.encodeKeys(column, count, field, context);
  },

  async encodeValues(values, count, field, context) {
    const { map, target } = context;
    const { value } = shapesOf(context);
    const encode = target ? encoderOf(value) : wholeValueEncoder(value, map.layout);
    const size = writtenValueSize(map.layout, target);
    const column = await encodeColumn(encode, values, size, "value", field);
    return bytesCodec.encodeValues(column, count, field, context);
  },
};

function shapesOf({ host, map, typing }: EncodeContext): ElementShapes {
  return shapesIn(host, map, typing);
}

/** The column of texts; answers between stretches, since texts may be many. */
async function encodeColumn(
  encode: Encoder,
  texts: readonly string[],
  size: number,
  root: "key" | "value",
  field: string,
): Promise<Buffer> {
  const column = Buffer.alloc(texts.length * size);
  const turns = new Turns();
  for (const [index, text] of texts.entries()) {
    try {
      encodeItem(encode, text, root, column, index * size);
    } catch (error) {
      if (error instanceof JsonProblem) throw jsonInvalid(error, field, index);
      throw error;
    }
    if (index % 64 === 63) await turns.yieldIfDue();
  }
  return column;
}

function jsonInvalid({ message }: JsonProblem, field: string, index: number): MapError {
  // A request with one text has a field of its own for it.
  const at = field.endsWith("s") ? `${field}[${index}]` : field;
  return new MapError("JSON_INVALID", `${at}: ${message}`, {
    violations: [{ field: at, description: message }],
    metadata: { index: String(index) },
  });
}
