import { execFileSync } from "node:child_process";
import type { BtfType } from "#dist/kernel/index.js";

/** A type as `bpftool btf dump … format raw -j` prints it. */
export type BpftoolType = Record<string, unknown>;

/** All types of a BTF source, such as ["file", PATH] or ["id", "7"], in order of their ids. */
export function bpftoolBtf(source: readonly string[], base?: string): BpftoolType[] {
  const args = ["-j", ...(base ? ["-B", base] : []), "btf", "dump", ...source, "format", "raw"];
  const output = execFileSync("bpftool", args, { maxBuffer: 1 << 28 }).toString();
  return (JSON.parse(output) as { types: BpftoolType[] }).types;
}

const LINKAGES = ["static", "global", "extern"];

/** A type of ours in bpftool's words. Values of 64 bits are as inexact as JSON numbers. */
export function inBpftoolWords(id: number, type: BtfType): BpftoolType {
  const kind = type.kind.toUpperCase();
  const named = { id, kind, name: ("name" in type && type.name) || "(anon)" };
  switch (type.kind) {
    case "void":
      throw new Error("bpftool does not print void");
    case "int":
      return {
        ...named,
        ...{ size: type.size, bits_offset: type.bitOffset, nr_bits: type.bits },
        encoding: type.bool ? "BOOL" : type.char ? "CHAR" : type.signed ? "SIGNED" : "(none)",
      };
    case "array":
      return {
        ...named,
        ...{ type_id: type.type, index_type_id: type.indexType, nr_elems: type.length },
      };
    case "struct":
    case "union":
      return {
        ...named,
        ...{ size: type.size, vlen: type.members.length },
        members: type.members.map((member) => ({
          name: member.name || "(anon)",
          type_id: member.type,
          bits_offset: member.bitOffset,
          ...(member.bitfieldSize > 0 && { bitfield_size: member.bitfieldSize }),
        })),
      };
    case "enum":
    case "enum64":
      return {
        ...named,
        encoding: type.signed ? "SIGNED" : "UNSIGNED",
        ...{ size: type.size, vlen: type.values.length },
        values: type.values.map(({ name, value }) => ({ name, val: printed(type, value) })),
      };
    case "fwd":
      return { ...named, fwd_kind: type.union ? "union" : "struct" };
    case "func":
    case "var":
      return { ...named, type_id: type.type, linkage: LINKAGES[type.linkage] };
    case "func_proto":
      return {
        ...named,
        ...{ ret_type_id: type.returnType, vlen: type.parameters.length },
        params: type.parameters.map((parameter) => ({
          name: parameter.name || "(anon)",
          type_id: parameter.type,
        })),
      };
    case "datasec":
      return {
        ...named,
        ...{ size: type.size, vlen: type.variables.length },
        vars: type.variables.map(({ type, offset, size }) => ({ type_id: type, offset, size })),
      };
    case "float":
      return { ...named, size: type.size };
    case "decl_tag":
      return { ...named, type_id: type.type, component_idx: type.componentIndex };
    default:
      return { ...named, type_id: type.type };
  }
}

/** bpftool 7.1 extends the sign of an unsigned enum's value of 32 bits before it prints it. */
function printed(type: BtfType, value: number | bigint): number {
  const extended = type.kind === "enum" && !type.signed && value >= 2 ** 31;
  return extended ? 2 ** 64 - 2 ** 32 + Number(value) : Number(value);
}
