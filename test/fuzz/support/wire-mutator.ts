import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { Dice } from "./dice.js";

/** A field as it stands in an encoded message. */
interface WireField {
  /** Where its tag begins. */
  readonly start: number;
  /** Where its content begins: behind the tag, and the length where it has one. */
  readonly content: number;
  /** Behind its last byte. */
  readonly end: number;
  readonly wireType: number;
  readonly number: number;
  readonly descriptor: DescField | undefined;
}

const VARINT = 0;
const BYTES = 2;
/** As many as a u64 takes at most, and one too many. */
const OVERLONG = [10, 11];
const NEST = [5, 60, 99, 101, 5000];

/**
 * Changes encoded messages as somebody would who knows the format and wants no good: in
 * single bits, in tags, lengths and numbers, by whole fields, and deep inside.
 */
export class WireMutator {
  readonly #dice: Dice;
  /** Messages that were made before, to take pieces from. */
  readonly #seen: Uint8Array[] = [];

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** The message with one to four changes. */
  mutated(schema: DescMessage, message: Uint8Array): Uint8Array {
    if (this.#dice.chance(0.1)) this.#keep(message);
    let bytes = message;
    const changes = this.#dice.pick([1, 1, 1, 2, 4]);
    for (let made = 0; made < changes; made++) bytes = this.#change(schema, bytes, 0);
    return bytes;
  }

  #keep(message: Uint8Array): void {
    if (this.#seen.length < 64) this.#seen.push(message);
    else this.#seen[this.#dice.number(64)] = message;
  }

  #change(schema: DescMessage, bytes: Uint8Array, depth: number): Uint8Array {
    const dice = this.#dice;
    const fields = fieldsOf(schema, bytes);
    if (fields.length === 0 || dice.chance(0.1)) return this.#changeBytes(bytes);
    const field = dice.pick(fields);
    const inner = field.descriptor && messageOf(field.descriptor);
    if (inner && depth < 6 && dice.chance(0.6)) {
      const changed = this.#change(inner, bytes.subarray(field.content, field.end), depth + 1);
      return replaced(bytes, field, lengthDelimited(field.number, changed));
    }
    return this.#changeField(bytes, field);
  }

  #changeBytes(bytes: Uint8Array): Uint8Array {
    const dice = this.#dice;
    const at = dice.number(bytes.length + 1);
    switch (dice.number(6)) {
      case 0:
        return bytes.subarray(0, at);
      case 1:
        return spliced(bytes, at, at, dice.bytes(1 + dice.number(8)));
      case 2:
        return spliced(bytes, at, at, this.#strangeField());
      case 3:
        return this.#seen.length > 0 ? spliced(bytes, at, at, dice.pick(this.#seen)) : bytes;
      case 4:
        return spliced(bytes, at, Math.min(bytes.length, at + dice.number(8)), Buffer.alloc(0));
      default:
        return this.#flipped(bytes, 0, bytes.length);
    }
  }

  #changeField(bytes: Uint8Array, field: WireField): Uint8Array {
    const dice = this.#dice;
    const { start, content, end, number, wireType } = field;
    const whole = bytes.subarray(start, end);
    switch (dice.number(9)) {
      case 0:
        return this.#flipped(bytes, content, end);
      case 1:
        return replaced(bytes, field, Buffer.alloc(0));
      case 2:
        return spliced(bytes, bytes.length, bytes.length, whole);
      case 3: {
        const tag = varint((BigInt(number) << 3n) | BigInt(dice.number(8)));
        return replaced(bytes, field, Buffer.concat([tag, bytes.subarray(content, end)]));
      }
      case 4:
        return spliced(bytes, start, content, tagOf(dice.number(40), wireType));
      case 5:
        if (wireType === VARINT) return spliced(bytes, content, end, this.#strangeNumber());
        return spliced(bytes, start, content, this.#lie(number, end - content));
      case 6:
        if (wireType === VARINT) return spliced(bytes, content, end, this.#edgeNumber());
        return replaced(bytes, field, lengthDelimited(number, this.#badText()));
      case 7:
        return spliced(bytes, start, start, this.#strangeField());
      default:
        return field.descriptor?.fieldKind === "message"
          ? replaced(bytes, field, this.#nested(number))
          : this.#flipped(bytes, start, end);
    }
  }

  #flipped(bytes: Uint8Array, from: number, to: number): Uint8Array {
    if (to <= from) return bytes;
    const copy = Buffer.from(bytes);
    const at = from + this.#dice.number(to - from);
    copy[at] = copy[at]! ^ (1 << this.#dice.number(8));
    return copy;
  }

  /** A number that has more bytes than it needs, or than any may have. */
  #strangeNumber(): Buffer {
    const length = this.#dice.pick(OVERLONG);
    const bytes = Buffer.alloc(length, 0x80 | this.#dice.number(128));
    if (this.#dice.chance(0.8)) bytes[length - 1] = this.#dice.number(2);
    return bytes;
  }

  #edgeNumber(): Buffer {
    return varint(this.#dice.pick([0n, 1n, 127n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 64n - 1n]));
  }

  /** A tag and a length that is not that of what follows. */
  #lie(number: number, length: number): Buffer {
    const told = this.#dice.pick([
      0,
      Math.max(0, length - 1),
      length + 1,
      2 ** 31 - 1,
      2 ** 32 - 1,
    ]);
    return Buffer.concat([tagOf(number, BYTES), varint(BigInt(told))]);
  }

  #badText(): Buffer {
    const texts = ["ff", "c080", "eda080", "f8888080", "00", "e282", "efbfbf", "f09f"];
    return Buffer.from(this.#dice.pick(texts).repeat(1 + this.#dice.number(3)), "hex");
  }

  /** A field that no message has, or that none can have. */
  #strangeField(): Buffer {
    const dice = this.#dice;
    const number = dice.pick([0, 999, 2 ** 29 - 1, 2 ** 29, 19_000]);
    switch (dice.number(4)) {
      case 0:
        return Buffer.concat([tagOf(number, VARINT), this.#strangeNumber()]);
      case 1:
        return lengthDelimited(number, dice.bytes(dice.number(20)));
      case 2: {
        // Groups inside groups, whether all are closed or not.
        const depth = dice.pick(NEST);
        const open = Array.from({ length: depth }, () => tagOf(number, 3));
        const close = Array.from({ length: dice.chance(0.5) ? depth : 0 }, () => tagOf(number, 4));
        return Buffer.concat([...open, ...close]);
      }
      default:
        return Buffer.concat([tagOf(number, dice.number(8)), dice.bytes(dice.number(9))]);
    }
  }

  /** The field inside itself, over and over: a message where messages are of one type. */
  #nested(number: number): Buffer {
    let bytes: Buffer = Buffer.alloc(0);
    const depth = this.#dice.pick([3, 30, 99, 101, 400]);
    for (let made = 0; made < depth; made++) bytes = lengthDelimited(number, bytes);
    return bytes;
  }
}

function messageOf(field: DescField): DescMessage | undefined {
  if (field.fieldKind === "message") return field.message;
  return field.fieldKind === "list" && field.listKind === "message" ? field.message : undefined;
}

/** The fields of a message up to where it is none any more. */
function fieldsOf(schema: DescMessage, bytes: Uint8Array): WireField[] {
  const fields: WireField[] = [];
  let at = 0;
  const number = (): number | undefined => {
    let value = 0;
    for (let length = 0; length < 10 && at < bytes.length; length++) {
      const byte = bytes[at++]!;
      value += (byte & 127) * 2 ** (7 * length);
      if (byte < 128) return value;
    }
    return undefined;
  };
  while (at < bytes.length) {
    const start = at;
    const tag = number();
    if (tag === undefined) break;
    const wireType = tag % 8;
    let content = at;
    if (wireType === VARINT) {
      if (number() === undefined) break;
    } else if (wireType === BYTES) {
      const length = number();
      if (length === undefined) break;
      content = at;
      at += length;
    } else if (wireType === 1 || wireType === 5) at += wireType === 1 ? 8 : 4;
    else break;
    if (at > bytes.length) break;
    const fieldNumber = Math.floor(tag / 8);
    const descriptor = schema.fields.find((field) => field.number === fieldNumber);
    fields.push({ start, content, end: at, wireType, number: fieldNumber, descriptor });
  }
  return fields;
}

function replaced(bytes: Uint8Array, { start, end }: WireField, by: Uint8Array): Buffer {
  return spliced(bytes, start, end, by);
}

function spliced(bytes: Uint8Array, from: number, to: number, by: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)]);
}

function lengthDelimited(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([tagOf(number, BYTES), varint(BigInt(content.length)), content]);
}

function tagOf(number: number, wireType: number): Buffer {
  return varint((BigInt(number) << 3n) | BigInt(wireType));
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = value;
  do {
    bytes.push(Number(left & 127n) | (left > 127n ? 128 : 0));
    left >>= 7n;
  } while (left > 0n);
  return Buffer.from(bytes);
}
