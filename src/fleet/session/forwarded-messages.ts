import { MapError } from "../../maps/index.js";
import { MAX_PART_BYTES } from "./message-parts.js";

/** A part of a message between relays, where gRPC itself does the flow control. */
export interface Part {
  readonly data: Uint8Array;
  readonly more: boolean;
}

/** The parts that messages go in. */
export function* partsOf(message: Uint8Array): Generator<Part, void> {
  let start = 0;
  do {
    const end = Math.min(start + MAX_PART_BYTES, message.length);
    yield { data: message.subarray(start, end), more: end < message.length };
    start = end;
  } while (start < message.length);
}

/** Messages out of their parts, read as they are asked for. Throws LIMIT_EXCEEDED. */
export async function* messagesOf(
  parts: AsyncIterable<Part>,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void> {
  let gathered: Uint8Array[] = [];
  let bytes = 0;
  for await (const { data, more } of parts) {
    bytes += data.length;
    if (bytes > maxBytes) {
      throw new MapError(
        "LIMIT_EXCEEDED",
        `a message of the call has more than the ${maxBytes} bytes of the setting limits.max_message_bytes`,
        { metadata: { limit: "limits.max_message_bytes" } },
      );
    }
    gathered.push(data);
    if (more) continue;
    yield gathered.length === 1 ? data : Buffer.concat(gathered);
    gathered = [];
    bytes = 0;
  }
}
