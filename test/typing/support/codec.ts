import { ByteTarget } from "#dist/maps/typing/byte-target.js";
import { compileDecoder } from "#dist/maps/typing/decoder.js";
import { compileEncoder } from "#dist/maps/typing/encoder.js";
import { JsonReader } from "#dist/maps/typing/json-reader.js";
import { sizeOfShape, type TypeShape } from "#dist/maps/typing/type-shape.js";

/** The JSON text of data. */
export function decode(shape: TypeShape, bytes: Uint8Array): string {
  return compileDecoder(shape)(Buffer.from(bytes), 0);
}

/** The bytes of a JSON text; a value that is no text is written as one before. */
export function encode(shape: TypeShape, json: unknown): Buffer {
  const text = typeof json === "string" ? json : JSON.stringify(json);
  const reader = new JsonReader(text, "value");
  const target = new ByteTarget(Buffer.alloc(sizeOfShape(shape)));
  compileEncoder(shape)(reader, target, 0);
  reader.end();
  return target.bytes;
}
