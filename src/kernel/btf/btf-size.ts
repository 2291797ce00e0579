import type { Btf } from "./btf.js";
import { BtfError } from "./btf-error.js";
import type { BtfType } from "./btf-type.js";

/** Both machines that this runs on have pointers of 64 bits. */
const POINTER_SIZE = 8;

/** MAX_RESOLVE_DEPTH of kernel/bpf/btf.c: what it loaded is never deeper. */
const DEEPEST = 32;

/** The type behind typedefs, qualifiers and type tags. Throws BtfError. */
export function resolveBtfType(btf: Btf, id: number): BtfType {
  let type = btf.type(id);
  for (let depth = 0; isAlias(type); depth++) {
    if (depth > DEEPEST) throw new BtfError(`BTF type ${id} is defined by itself`);
    type = btf.type(type.type);
  }
  return type;
}

/** Bytes that a value of this type takes. Throws BtfError for what has no size. */
export function sizeOfBtfType(btf: Btf, id: number): number {
  let count = 1;
  let type = resolveBtfType(btf, id);
  for (let depth = 0; type.kind === "array"; depth++) {
    if (depth > DEEPEST) throw new BtfError(`BTF type ${id} is defined by itself`);
    count *= type.length;
    type = resolveBtfType(btf, type.type);
  }
  switch (type.kind) {
    case "int":
    case "struct":
    case "union":
    case "enum":
    case "enum64":
    case "float":
    case "datasec":
      return count * type.size;
    case "ptr":
      return count * POINTER_SIZE;
    case "var":
      return sizeOfBtfType(btf, type.type);
    default:
      throw new BtfError(`BTF type ${id} (${type.kind}) has no size`);
  }
}

type Alias = BtfType & { kind: "typedef" | "volatile" | "const" | "restrict" | "type_tag" };

function isAlias(type: BtfType): type is Alias {
  switch (type.kind) {
    case "typedef":
    case "volatile":
    case "const":
    case "restrict":
    case "type_tag":
      return true;
    default:
      return false;
  }
}
