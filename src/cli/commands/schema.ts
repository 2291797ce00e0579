import { SchemaKind, type SchemaType } from "@bpfmapd/client/proto";
import { onlyMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { type JsonValue, writeJson } from "../format/json-writer.js";
import { takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import { addTypingOptions, type TypingOptions, typingOf } from "../typing-options.js";
import type { Verb } from "../verb.js";

async function run(context: CliContext, words: Words, options: TypingOptions): Promise<undefined> {
  const map = context.mapRef(takeMap(words));
  words.expectEnd();
  const typing = typingOf(options);
  const { schema } = await context.client.maps.getMapSchema(
    { map, ...(typing && { typing }) },
    context.call,
  );
  if (!schema) return;
  const { keyDeclaration, valueDeclaration } = schema;
  if (!context.json) {
    await context.out.write([keyDeclaration, valueDeclaration].filter(Boolean).join("\n"));
    return;
  }
  await context.printJson((json) =>
    writeJson(json, {
      source: schema.source,
      key_type_id: schema.keyTypeId,
      value_type_id: schema.valueTypeId,
      types: schema.types.map(typeJson),
      key_declaration: keyDeclaration,
      value_declaration: valueDeclaration,
    }),
  );
}

function typeJson(type: SchemaType): JsonValue {
  const { kind, members, enumerators } = type;
  return {
    id: type.id,
    kind: SchemaKind[kind]?.toLowerCase(),
    name: type.name,
    size: type.size,
    ...(kind === SchemaKind.INT && {
      signed: type.signed,
      bits: type.bits,
      bool: type.isBool,
      char: type.isChar,
    }),
    ...(type.targetTypeId > 0 && { target_type_id: type.targetTypeId }),
    ...(kind === SchemaKind.ARRAY && { length: type.length }),
    ...(members.length > 0 && {
      members: members.map(({ name, typeId, bitOffset, bitfieldSize }) => ({
        name,
        type_id: typeId,
        bit_offset: bitOffset,
        ...(bitfieldSize > 0 && { bitfield_size: bitfieldSize }),
      })),
    }),
    ...(kind === SchemaKind.ENUM && {
      enumerators: enumerators.map(({ name, value }) => ({ name, value })),
    }),
  };
}

export const schema: Verb<TypingOptions> = {
  name: "schema",
  usage: "MAP",
  summary: "print the types of keys and values",
  details: "As C declarations, or with --json as all types that they are made of.",
  examples: [
    ["map schema name flows", "what a flow is made of"],
    ["map schema id 5 --types vmlinux --value-type 'struct iphdr'", "a type of the kernel"],
  ],
  addOptions: (command) => addTypingOptions(command, false),
  complete: onlyMap,
  run,
};
