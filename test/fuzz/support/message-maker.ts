import {
  create,
  type DescEnum,
  type DescField,
  type DescMessage,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import type { Dice } from "./dice.js";

/** Makes the value of a field; undefined to leave it out. */
export type FieldMaker = (dice: Dice) => unknown;

/** Makes a random message likelier to be a good one. */
export type Mender = (init: Record<string, unknown>, dice: Dice) => void;

/** How likely a field is present where nothing says otherwise. */
const PRESENT = 0.6;
const MESSAGE_PRESENT = 0.95;
const MENDED = 0.9;
const DEEPEST = 4;
/** How seldom a list is long. */
const LONG = 0.002;

/**
 * Makes random messages of any type from its descriptor. Fields that have a maker, by
 * "Message.field", are made by it (that of a oneof answers which field to choose), so that
 * messages can be about things that are there; menders, by "Message", then make most of
 * them fit.
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
      } else if (this.#dice.chance(0.98)) {
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
        const isLong = listKind !== "message" && this.#dice.chance(LONG);
        const length = isLong ? 3000 : this.#dice.pick([0, 1, 1, 2, 5]);
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
    return this.#dice.chance(0.98)
      ? this.#dice.pick(values).number
      : this.#dice.pick([4000, -1, 2 ** 31 - 1]);
  }

  #scalar(type: ScalarType): unknown {
    const dice = this.#dice;
    switch (type) {
      case ScalarType.BOOL:
        return dice.chance(0.3);
      case ScalarType.STRING:
        return dice.pick(["", "a", "x/../y", "ä€\0", "n".repeat(70), "%s%n", "__proto__"]);
      case ScalarType.BYTES:
        return dice.bytes(dice.pick([0, 1, 3, 4, 4, 4, 8, 8, 16, 100]));
      case ScalarType.UINT64:
      case ScalarType.FIXED64:
        return dice.pick([BigInt(this.#number()), 2n ** 63n, 2n ** 64n - 1n]);
      case ScalarType.INT64:
        return dice.pick([BigInt(this.#number()), -1n, 2n ** 63n - 1n, -(2n ** 63n)]);
      case ScalarType.INT32:
        return dice.pick([0, 1, -1, 1000, 2 ** 31 - 1]);
      case ScalarType.DOUBLE:
      case ScalarType.FLOAT:
        return dice.pick([0, -1.5, Number.NaN, Number.POSITIVE_INFINITY, 3e38]);
      default:
        return this.#number();
    }
  }

  #number(): number {
    return this.#dice.pick([0, 1, 1, 2, 3, 4, 8, 100, 2 ** 31, 2 ** 32 - 1]);
  }
}
