import {
  create,
  type DescEnum,
  type DescField,
  type DescMessage,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";

/** Random choices that are the same for the same seed. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to `below - 1`. */
  number(below: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  chance(probability: number): boolean {
    return this.number(1_000_000) < probability * 1_000_000;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.number(items.length)] as T;
  }

  bytes(size: number): Buffer {
    return Buffer.from(Array.from({ length: size }, () => this.number(256)));
  }
}

/** Makes the value of a field; undefined to leave it out. */
export type FieldMaker = (dice: Dice) => unknown;

/** Makes a random message likelier to be a good one. */
export type Mender = (init: Record<string, unknown>, dice: Dice) => void;

/** How likely a field is present where nothing says otherwise. */
const PRESENT = 0.6;
const MESSAGE_PRESENT = 0.9;
const MENDED = 0.75;
const DEEPEST = 4;

/**
 * Makes random messages of any type from its descriptor. Fields that have a maker, by
 * "Message.field", are made by it (that of a oneof answers which field to choose), so that messages can be about things that are there;
 * menders, by "Message", then make most of them fit.
 */
export class MessageMaker {
  readonly #dice: Dice;
  readonly #makers: Readonly<Record<string, FieldMaker>>;
  readonly #menders: Readonly<Record<string, Mender>>;

  constructor(
    dice: Dice,
    makers: Readonly<Record<string, FieldMaker>>,
    menders: Readonly<Record<string, Mender>>,
  ) {
    this.#dice = dice;
    this.#makers = makers;
    this.#menders = menders;
  }

  /** A message, encoded. */
  bytes(schema: DescMessage): Uint8Array {
    return toBinary(schema, create(schema, this.init(schema)));
  }

  /** A message in the form that `create` takes. */
  init(schema: DescMessage, depth = 0): Record<string, unknown> {
    const init: Record<string, unknown> = {};
    for (const member of schema.members) {
      if (member.kind === "field") {
        init[member.localName] = this.#field(member, depth);
      } else if (this.#dice.chance(0.95)) {
        const choose = this.#makers[`${schema.name}.${member.name}`];
        const name = choose?.(this.#dice);
        const chosen =
          member.fields.find((field) => field.name === name) ?? this.#dice.pick(member.fields);
        const value = this.#field(chosen, depth, true);
        if (value !== undefined) init[member.localName] = { case: chosen.localName, value };
      }
    }
    if (this.#dice.chance(MENDED)) this.#menders[schema.name]?.(init, this.#dice);
    return init;
  }

  #field(field: DescField, depth: number, isChosen = false): unknown {
    const maker = this.#makers[`${field.parent.name}.${field.name}`];
    if (maker) return maker(this.#dice);
    const present = field.fieldKind === "message" ? MESSAGE_PRESENT : PRESENT;
    if (!isChosen && !this.#dice.chance(present)) return undefined;
    switch (field.fieldKind) {
      case "list": {
        const { listKind } = field;
        const length = this.#dice.pick([0, 1, 1, 2, 5]);
        return Array.from({ length }, () => {
          if (listKind === "message") return this.init(field.message, depth + 1);
          return listKind === "enum" ? this.#enum(field.enum) : this.#scalar(field.scalar);
        });
      }
      case "message":
        return depth < DEEPEST ? this.init(field.message, depth + 1) : undefined;
      case "enum":
        return this.#enum(field.enum);
      case "scalar":
        return this.#scalar(field.scalar);
      default:
        throw new Error(`no requests have fields like ${field}`);
    }
  }

  #enum({ values }: DescEnum): number {
    return this.#dice.chance(0.95) ? this.#dice.pick(values).number : 4000;
  }

  #scalar(type: ScalarType): unknown {
    switch (type) {
      case ScalarType.BOOL:
        return this.#dice.chance(0.3);
      case ScalarType.STRING:
        return this.#dice.pick(["", "a", "x/../y", "ä€\0", "n".repeat(70), "%s%n"]);
      case ScalarType.BYTES:
        return this.#dice.bytes(this.#dice.pick([0, 1, 3, 4, 4, 4, 8, 8, 16, 100]));
      case ScalarType.UINT64:
      case ScalarType.INT64:
        return BigInt(this.#number());
      case ScalarType.INT32:
        return this.#dice.pick([0, 1, -1, 1000, 2 ** 31 - 1]);
      default:
        return this.#number();
    }
  }

  #number(): number {
    return this.#dice.pick([0, 1, 1, 2, 3, 4, 8, 100, 2 ** 31, 2 ** 32 - 1]);
  }
}
