import { deflateSync, gzipSync } from "node:zlib";
import { frames } from "../../service/support/raw-grpc.js";
import type { Dice } from "./dice.js";

/** A body that is not simply the frames of its messages. */
export interface StrangeBody {
  readonly pieces: readonly Buffer[];
  /** What a server could take for messages. */
  readonly messages: readonly Uint8Array[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether it breaks gRPC's rules. */
  readonly isForeign: boolean;
}

/** Splits, cuts, joins, mislabels or compresses messages. */
export function strangeBody(messages: readonly Uint8Array[], dice: Dice): StrangeBody {
  const body = frames(...messages);
  switch (dice.number(8)) {
    case 0: // byte by byte
      return { messages, isForeign: false, pieces: singleBytes(body) };
    case 1: // in two
      return { messages, isForeign: false, pieces: halves(body, dice.number(body.length + 1)) };
    case 2: // the end is missing
      return {
        messages,
        isForeign: true,
        pieces: [body.subarray(0, dice.number(body.length + 1))],
      };
    case 3: // a length that is not true
      return lying(body, messages, dice);
    case 4: // a flag that does not exist, or says what is not so
      return { messages, isForeign: true, pieces: [flagged(body, dice)] };
    case 5: // more messages than there should be
      return { messages, isForeign: true, pieces: [Buffer.concat([body, body])] };
    case 6: // an empty message, and a rest
      return {
        messages,
        isForeign: true,
        pieces: [frames(Buffer.alloc(0)), body, dice.bytes(dice.number(5))],
      };
    default:
      return compressed(messages, dice);
  }
}

function singleBytes(body: Buffer): Buffer[] {
  const first = Array.from(body.subarray(0, 64), (byte) => Buffer.of(byte));
  return [...first, body.subarray(64)];
}

function halves(body: Buffer, at: number): Buffer[] {
  return [body.subarray(0, at), body.subarray(at)];
}

function lying(body: Buffer, messages: readonly Uint8Array[], dice: Dice): StrangeBody {
  const [first] = messages;
  const pieces = [Buffer.from(body)];
  if (first === undefined) return { messages, isForeign: true, pieces };
  const told = dice.pick([
    0,
    Math.max(0, first.length - 1),
    first.length + 1,
    2 ** 31,
    2 ** 32 - 1,
  ]);
  pieces[0]?.writeUInt32BE(told, 1);
  const taken = body.subarray(5, 5 + told);
  return { messages: [taken, ...messages], isForeign: true, pieces };
}

function flagged(body: Buffer, dice: Dice): Buffer {
  const copy = Buffer.from(body);
  if (copy.length > 0) copy[0] = dice.pick([1, 1, 2, 9, 128, 255]);
  return copy;
}

function compressed(messages: readonly Uint8Array[], dice: Dice): StrangeBody {
  const encoding = dice.pick(["gzip", "deflate", "identity", "snappy", "GZIP", ""]);
  const squeeze = encoding === "deflate" ? deflateSync : gzipSync;
  const squeezed = messages.map((message) => {
    const bytes = squeeze(message);
    return dice.chance(0.8) ? bytes : bytes.subarray(0, dice.number(bytes.length));
  });
  const body = frames(...squeezed);
  for (let at = 0; at < body.length; at += 5 + body.readUInt32BE(at + 1)) body[at] = 1;
  return {
    messages: [...messages, ...squeezed],
    isForeign: true,
    pieces: [body],
    headers: { "grpc-encoding": encoding },
  };
}
