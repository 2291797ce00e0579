import {
  create,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { MapError } from "../../maps/index.js";

/** Bytes of a request that are no message of its type. */
export class Undecodable {
  constructor(
    readonly schema: DescMessage,
    readonly cause: unknown,
  ) {}

  /** INVALID_ARGUMENT: the request as a whole is at fault, which is the empty field path. */
  toError(): MapError {
    const description = `these bytes are no ${this.schema.typeName} message`;
    return new MapError("FIELD_INVALID", description, {
      violations: [{ field: "", description }],
      cause: this.cause,
    });
  }
}

/** Where a decoded message tells how many bytes it was. */
const SIZE = Symbol("size");

interface Sized {
  [SIZE]?: number;
}

/** Bytes that a message of a request had. */
export function sizeOf(message: unknown): number {
  return (message as Sized)[SIZE] ?? 0;
}

/**
 * Fields that the daemon does not know are not kept: nothing looks at them, and sent back
 * inside an answer, as reflection does, they would nest deeper than a client decodes.
 */
const READ = { readUnknownFields: false };

/**
 * Decodes a request. It never throws: grpc-js answers INTERNAL for a deserializer that
 * does, though it is the client's bytes that are at fault.
 */
export function decode(schema: DescMessage, bytes: Buffer): Message | Undecodable {
  // A plain view, since byte fields become views of the same class as what they come from.
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const message: (Message | Undecodable) & Sized = decodeView(schema, view);
  message[SIZE] = bytes.byteLength;
  return message;
}

function decodeView(schema: DescMessage, view: Uint8Array): Message | Undecodable {
  try {
    return fromBinary(schema, view, READ);
  } catch (cause) {
    return new Undecodable(schema, cause);
  }
}

/**
 * Encodes a response; a Buffer is one that is encoded already. Done by the adapter and
 * not by grpc-js, which hides the cause where it fails. Throws LIMIT_EXCEEDED for what is
 * larger than clients can expect (Host.max_message_bytes).
 */
export function encode(
  schema: DescMessage,
  response: MessageInitShape<DescMessage> | Buffer,
  maxBytes: number,
): Buffer {
  const bytes = Buffer.isBuffer(response) ? response : encodeMessage(schema, response);
  if (bytes.byteLength > maxBytes) {
    throw new MapError(
      "LIMIT_EXCEEDED",
      `the answer has ${bytes.byteLength} bytes, more than the ${maxBytes} of the daemon's setting ` +
        "limits.max_message_bytes: ask for less at once",
      { metadata: { limit: "limits.max_message_bytes" } },
    );
  }
  return bytes;
}

function encodeMessage(schema: DescMessage, response: MessageInitShape<DescMessage>): Buffer {
  const bytes = toBinary(schema, create(schema, response));
  // grpc-js calls Buffer methods on what it sends; this is the same memory seen as one.
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
