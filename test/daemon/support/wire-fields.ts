import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** A field of an encoded protobuf message: bytes, or a number of any width. */
export interface WireField {
  readonly number: number;
  readonly value: Buffer | bigint;
}

/** The fields of a message whose schema is not at hand. */
export function fields(message: Uint8Array): WireField[] {
  const reader = new BinaryReader(message);
  const found: WireField[] = [];
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    found.push({ number, value: readValue(reader, type) });
  }
  return found;
}

function readValue(reader: BinaryReader, type: WireType): Buffer | bigint {
  switch (type) {
    case WireType.LengthDelimited:
      return Buffer.from(reader.bytes());
    case WireType.Varint:
      return BigInt(reader.uint64());
    case WireType.Bit64:
      return BigInt(reader.fixed64());
    case WireType.Bit32:
      return BigInt(reader.fixed32());
    default:
      throw new Error(`no message has a field of wire type ${type}`);
  }
}
