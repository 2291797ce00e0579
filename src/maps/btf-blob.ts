import { btfLoad, type MapCreation } from "../kernel/index.js";
import { factsOf } from "./type-facts.js";

/*
 * The smallest BTF that the kernel takes for map types that insist on some. Local
 * storage wants a type for keys and values (bpf_local_storage_map_alloc_check) whose
 * sizes are those of the map (map_check_btf), though any bytes do; struct_ops wants a
 * BTF object, whatever is in it (map_create). Format: include/uapi/linux/btf.h.
 */

const MAGIC = 0xeb9f;
const VERSION = 1;
const HEADER = 24;

const KIND_INT = 1;
const KIND_ARRAY = 3;
const SIGNED = 1;

/** Type ids in the blob, which start at 1. */
const INT = 1;
const BYTE = 2;
const BYTES = 3;

type Btf = Pick<MapCreation, "btfFd" | "btfKeyTypeId" | "btfValueTypeId">;

/**
 * What BPF_MAP_CREATE needs to know of the types of keys and values: nothing for most
 * map types, an int and an array of bytes for local storage. Close `btfFd`, where there
 * is one, once the map is made. Throws KernelError.
 */
export function creationBtf(spec: { readonly type: number; readonly valueSize: number }): Btf {
  switch (factsOf(spec.type)?.btf) {
    case "types":
      return { btfFd: btfLoad(plainBtf(spec.valueSize)), ...PLAIN_TYPE_IDS };
    case "object":
      return { btfFd: btfLoad(plainBtf(spec.valueSize)) };
    default:
      return {};
  }
}

/** The ids that {@link creationBtf} gives, for trying sizes without loading a BTF. */
export const PLAIN_TYPE_IDS = { btfKeyTypeId: INT, btfValueTypeId: BYTES } as const;

function plainBtf(valueSize: number): Uint8Array {
  const types = [
    ...[0, info(KIND_INT), 4, integer(SIGNED, 32)],
    ...[0, info(KIND_INT), 1, integer(0, 8)],
    ...[0, info(KIND_ARRAY), 0, BYTE, INT, valueSize],
  ];
  const typeBytes = 4 * types.length;
  // The one string of the blob is the empty name of every type.
  const blob = Buffer.alloc(HEADER + typeBytes + 1);
  blob.writeUInt16LE(MAGIC, 0);
  blob.writeUInt8(VERSION, 2);
  const header = [HEADER, 0, typeBytes, typeBytes, 1];
  for (const [index, word] of [...header, ...types].entries()) {
    blob.writeUInt32LE(word, 4 + 4 * index);
  }
  return blob;
}

function info(kind: number): number {
  return kind << 24;
}

function integer(encoding: number, bits: number): number {
  return (encoding << 24) | bits;
}
