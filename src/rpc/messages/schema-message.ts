import { type MapTypesSchema, SchemaKind as SchemaKindEnum } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { MapSchema, SchemaKind } from "../../maps/index.js";

const KINDS: Readonly<Record<SchemaKind, SchemaKindEnum>> = {
  int: SchemaKindEnum.INT,
  float: SchemaKindEnum.FLOAT,
  pointer: SchemaKindEnum.POINTER,
  array: SchemaKindEnum.ARRAY,
  struct: SchemaKindEnum.STRUCT,
  union: SchemaKindEnum.UNION,
  enum: SchemaKindEnum.ENUM,
  typedef: SchemaKindEnum.TYPEDEF,
  qualifier: SchemaKindEnum.QUALIFIER,
  section: SchemaKindEnum.SECTION,
};

/** A map's types as the contract tells them. */
export function schemaMessage(schema: MapSchema): MessageInitShape<typeof MapTypesSchema> {
  const types = schema.types.map(({ kind, members, enumerators, ...type }) => ({
    ...type,
    kind: kind ? KINDS[kind] : SchemaKindEnum.UNSPECIFIED,
    members: members?.map((member) => ({ ...member })) ?? [],
    enumerators: enumerators?.map((enumerator) => ({ ...enumerator })) ?? [],
  }));
  return { ...schema, types };
}
