import { type Btf, BtfError, KernelError } from "../../kernel/index.js";
import type { Typing } from "../element-input.js";
import { fieldError, MapError } from "../map-error.js";
import type { MapHost } from "../map-host.js";
import type { OpenMap } from "../open-map.js";
import type { ElementShapes } from "./field-path.js";
import { findNamedType, sizeOf } from "./named-type.js";
import { programBtfId } from "./program-btf.js";
import { btfTypeName, shapeOfBtfType } from "./shape-builder.js";
import { INDEX_SHAPE, type TypeShape, untypedShape } from "./type-shape.js";

/** The types of a map's keys and values; an id of 0 stands for no type. */
export interface MapTypes {
  readonly btf: Btf;
  readonly keyTypeId: number;
  /** Of one CPU's value for per-CPU maps. */
  readonly valueTypeId: number;
  /** Where they come from: "map", "program", "vmlinux" or a module's name, "btf 12". */
  readonly source: string;
}

/**
 * The types of a map: its own, or those that a request names.
 *
 * @param field path of the typing in the request
 * @throws MapError NO_TYPES, TYPE_NOT_FOUND, TYPE_SIZE_MISMATCH, OBJECT_NOT_FOUND
 */
export function typesOf(
  host: MapHost,
  map: OpenMap,
  typing: Typing | undefined,
  field = "typing",
): MapTypes {
  const isNamed = typing?.source !== undefined || typing?.keyType || typing?.valueType;
  const types = isNamed ? namedTypes(host, map, typing as Typing, field) : ownTypes(host, map);
  checkSize(types, types.keyTypeId, map.layout.keySize, map, isNamed ? `${field}.key_type` : "");
  checkSize(
    types,
    types.valueTypeId,
    map.layout.valueSize,
    map,
    isNamed ? `${field}.value_type` : "",
  );
  return types;
}

/** The shapes of a map's keys and values; what has no type is an index, or bytes. */
export function shapesOf(host: MapHost, map: OpenMap, types: MapTypes): ElementShapes {
  const { keySize, valueSize } = map.layout;
  const isIndex = host.capabilities.of(map.info.type)?.keyKind === "index";
  return {
    key: shapeOf(map, types, types.keyTypeId) ?? (isIndex ? INDEX_SHAPE : untypedShape(keySize)),
    value: shapeOf(map, types, types.valueTypeId) ?? untypedShape(valueSize),
  };
}

/** Shapes that were built, as long as the BTF is kept. */
const shapes = new WeakMap<Btf, Map<number, TypeShape>>();

function shapeOf(map: OpenMap, { btf }: MapTypes, id: number): TypeShape | undefined {
  if (id === 0) return undefined;
  const known = shapes.get(btf) ?? new Map<number, TypeShape>();
  shapes.set(btf, known);
  let shape = known.get(id);
  if (!shape) {
    shape = readable(map, () => shapeOfBtfType(btf, id));
    known.set(id, shape);
  }
  return shape;
}

/** Does work on BTF, whose defects are those of what the client named, or could name instead. */
function readable<T>(map: OpenMap, work: () => T, field = "typing"): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof BtfError)) throw error;
    const description = `${map.label}: its types cannot be used: ${error.message}`;
    const violations = [{ field, description }];
    throw new MapError("TYPE_NOT_FOUND", description, { violations, cause: error });
  }
}

function ownTypes(host: MapHost, map: OpenMap): MapTypes {
  const { btfId, btfKeyTypeId, btfValueTypeId, btfVmlinuxValueTypeId, btfVmlinuxId } = map.info;
  if (btfVmlinuxValueTypeId > 0) {
    // The values of STRUCT_OPS are the kernel's own structs.
    const btf = kernelBtf(host, map, btfVmlinuxId);
    return { btf, keyTypeId: 0, valueTypeId: btfVmlinuxValueTypeId, source: "vmlinux" };
  }
  const btf = btfId > 0 ? btfById(host, map, btfId) : undefined;
  if (!btf || (btfKeyTypeId === 0 && btfValueTypeId === 0)) throw noTypes(map);
  return { btf, keyTypeId: btfKeyTypeId, valueTypeId: btfValueTypeId, source: "map" };
}

function kernelBtf(host: MapHost, map: OpenMap, id: number): Btf {
  const btf = id > 0 ? btfById(host, map, id) : host.btf.byName("vmlinux");
  if (btf) return btf;
  throw new MapError("NO_TYPES", `${map.label}: this kernel was built without BTF`);
}

function noTypes(map: OpenMap): MapError {
  return new MapError(
    "NO_TYPES",
    `${map.label} has no types (BTF): name some in typing, or use bytes`,
    { metadata: { map: map.label } },
  );
}

function namedTypes(host: MapHost, map: OpenMap, typing: Typing, field: string): MapTypes {
  const { btf, source } = sourceOf(host, map, typing, field);
  const { keySize, valueSize } = map.layout;
  const keyTypeId = typeNamed(btf, typing.keyType, keySize, source, `${field}.key_type`);
  const valueTypeId = typeNamed(btf, typing.valueType, valueSize, source, `${field}.value_type`);
  if (typing.source) {
    if (keyTypeId + valueTypeId > 0) return { btf, keyTypeId, valueTypeId, source };
    throw fieldError("FIELD_INVALID", field, "name a key_type, a value_type or both");
  }
  // In its own BTF the map says the rest itself.
  const { btfKeyTypeId, btfValueTypeId } = map.info;
  return {
    btf,
    source,
    keyTypeId: typing.keyType ? keyTypeId : btfKeyTypeId,
    valueTypeId: typing.valueType ? valueTypeId : btfValueTypeId,
  };
}

function sourceOf(
  host: MapHost,
  map: OpenMap,
  { source }: Typing,
  field: string,
): { btf: Btf; source: string } {
  switch (source?.by) {
    case undefined: {
      const btf = map.info.btfId > 0 ? btfById(host, map, map.info.btfId) : undefined;
      if (btf) return { btf, source: "map" };
      throw new MapError(
        "NO_TYPES",
        `${map.label} has no BTF to look for types in: name a source of them (a program, "vmlinux", a BTF id)`,
        { metadata: { map: map.label } },
      );
    }
    case "program": {
      const btf = btfById(host, map, programBtfId(host, source.program, `${field}.program`));
      if (btf) return { btf, source: "program" };
      throw notThere(`${field}.program`, "the program has no BTF");
    }
    case "kernel": {
      const btf = readable(map, () => host.btf.byName(source.name), `${field}.kernel`);
      if (btf) return { btf, source: source.name };
      throw notThere(`${field}.kernel`, `the kernel has no BTF of ${JSON.stringify(source.name)}`);
    }
    case "btfId": {
      const btf = btfById(host, map, source.id);
      if (btf) return { btf, source: `btf ${source.id}` };
      throw notThere(`${field}.btf_id`, `there is no BTF with the id ${source.id}`);
    }
  }
}

function notThere(field: string, description: string): MapError {
  return fieldError("TYPE_NOT_FOUND", field, description);
}

function btfById(host: MapHost, map: OpenMap, id: number): Btf | undefined {
  if (id === 0) return undefined;
  try {
    return readable(map, () => host.btf.byId(id));
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== "EPERM") throw error;
    throw new MapError(
      "KERNEL_DENIED",
      `the types of ${map.label} cannot be read: the daemon lacks CAP_SYS_ADMIN`,
      { metadata: { errno: error.errno }, cause: error },
    );
  }
}

function typeNamed(btf: Btf, name: string, size: number, source: string, field: string): number {
  if (name === "") return 0;
  const id = findNamedType(btf, name, size);
  if (id !== undefined) return id;
  const where = source === "map" ? "the map's BTF" : `the BTF of ${source}`;
  throw fieldError("TYPE_NOT_FOUND", field, `${where} has no type ${JSON.stringify(name)}`);
}

function checkSize(
  { btf }: MapTypes,
  id: number,
  wanted: number,
  map: OpenMap,
  field: string,
): void {
  if (id === 0) return;
  const size = sizeOf(btf, id);
  if (size === wanted) return;
  const name = btfTypeName(btf, id);
  const given = size === undefined ? `${name} is no data` : `${name} has ${size} bytes`;
  if (field === "") {
    const description = `${map.label}: ${given}, the map has ${wanted}`;
    const violations = [{ field: "typing", description }];
    throw new MapError("TYPE_SIZE_MISMATCH", description, { violations });
  }
  throw fieldError("TYPE_SIZE_MISMATCH", field, `${given}, ${map.label} has ${wanted}`);
}
