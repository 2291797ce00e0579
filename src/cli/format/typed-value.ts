import {
  type MapTypes,
  SchemaKind,
  type SchemaMember,
  type SchemaType,
} from "@bpfmapd/client/proto";
import type { JsonWriter } from "./json-writer.js";

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/**
 * Writes keys and values that the daemon tells as JSON. As in bpftool's output, integers
 * of 64 bits are numbers here; the daemon sends them as strings, because most readers of
 * JSON would round them.
 */
export class TypedValues {
  readonly #types: ReadonlyMap<number, SchemaType>;
  readonly #schema: MapTypes;
  readonly #members = new Map<number, ReadonlyMap<string, number>>();

  constructor(schema: MapTypes) {
    this.#schema = schema;
    this.#types = new Map(schema.types.map((type) => [type.id, type]));
  }

  /** Whether keys have a type: those of arrays of variables have none. */
  get hasKeyType(): boolean {
    return this.#schema.keyTypeId > 0;
  }

  writeKey(json: JsonWriter, text: string): void {
    this.#write(json, JSON.parse(text) as Json, this.#schema.keyTypeId);
  }

  /** One value; `of` is the text of a per-CPU map's whole one, of which `slot` is written. */
  writeValue(json: JsonWriter, text: string, slot?: number): void {
    const value = JSON.parse(text) as Json;
    const one = slot === undefined ? value : ((value as readonly Json[])[slot] as Json);
    this.#write(json, one, this.#schema.valueTypeId);
  }

  #write(json: JsonWriter, value: Json, typeId: number): void {
    const type = this.#resolved(typeId);
    if (Array.isArray(value)) {
      json.startArray();
      for (const item of value as readonly Json[]) {
        this.#write(json, item, type?.targetTypeId ?? 0);
      }
      json.endArray();
    } else if (typeof value === "object" && value !== null) {
      this.#writeObject(json, value as { readonly [name: string]: Json }, type);
    } else {
      json.value(
        isInteger(type) && typeof value === "string" ? integerOf(value) : (value as string),
      );
    }
  }

  #writeObject(
    json: JsonWriter,
    value: { readonly [name: string]: Json },
    type: SchemaType | undefined,
  ): void {
    const members = type && this.#membersOf(type);
    json.startObject();
    for (const [name, member] of Object.entries(value)) {
      json.name(name);
      this.#write(json, member, members?.get(name) ?? 0);
    }
    json.endObject();
  }

  /** The type behind other names and qualifiers. */
  #resolved(id: number): SchemaType | undefined {
    let type = this.#types.get(id);
    while (type?.kind === SchemaKind.TYPEDEF || type?.kind === SchemaKind.QUALIFIER) {
      type = this.#types.get(type.targetTypeId);
    }
    return type;
  }

  /** Types of a composite's members by name, those of anonymous ones among them. */
  #membersOf(type: SchemaType): ReadonlyMap<string, number> {
    let members = this.#members.get(type.id);
    if (!members) {
      const uses = new Map<string, number>();
      members = new Map(
        this.#flat(type.members).map(({ name, typeId }) => {
          const use = (uses.get(name) ?? 0) + 1;
          uses.set(name, use);
          return [use === 1 ? name : `${name}#${use}`, typeId];
        }),
      );
      this.#members.set(type.id, members);
    }
    return members;
  }

  #flat(members: readonly SchemaMember[]): SchemaMember[] {
    return members.flatMap((member) =>
      member.name === "" ? this.#flat(this.#resolved(member.typeId)?.members ?? []) : [member],
    );
  }
}

/** Whether strings of this type are numbers; those of characters may be digits, too. */
function isInteger(type: SchemaType | undefined): boolean {
  if (type?.kind === SchemaKind.INT) return !type.isChar;
  return type?.kind === SchemaKind.POINTER || type?.kind === SchemaKind.ENUM;
}

/** The number that a string has; names of enumerations stay. */
function integerOf(text: string): bigint | string {
  return /^-?[0-9]+$/.test(text) ? BigInt(text) : text;
}
