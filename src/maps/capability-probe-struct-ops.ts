import { readFileSync } from "node:fs";
import type { MapCreation } from "../kernel/index.js";
import { tryCreate, withTrialMap } from "./capability-probe-trial.js";

/*
 * A struct_ops map needs a value type from the kernel's own BTF: one of the structs
 * `bpf_struct_ops_NAME`, where NAME is a struct that programs can implement. Only as
 * much of BTF is read here as finds them. Format: include/uapi/linux/btf.h.
 */

const VMLINUX_BTF = "/sys/kernel/btf/vmlinux";
const PREFIX = "bpf_struct_ops_";
const TYPE_HEADER = 12;
const KIND_STRUCT = 4;

/** Bytes that follow a type's header, by kind: some for the type, some for each member. */
const TAIL: Readonly<Record<number, { own?: number; each?: number }>> = {
  1: { own: 4 }, // INT
  3: { own: 12 }, // ARRAY
  4: { each: 12 }, // STRUCT
  5: { each: 12 }, // UNION
  6: { each: 8 }, // ENUM
  13: { each: 8 }, // FUNC_PROTO
  14: { own: 4 }, // VAR
  15: { each: 12 }, // DATASEC
  17: { own: 4 }, // DECL_TAG
  19: { each: 12 }, // ENUM64
};

interface ValueType {
  readonly id: number;
  readonly size: number;
}

/**
 * Runs `use` on a struct_ops map of the first value type that the kernel accepts;
 * undefined where it has none, or no BTF of its own. Nothing is registered.
 */
export function withStructOpsMap<T>(creation: MapCreation, use: (fd: number) => T): T | undefined {
  for (const { id, size } of valueTypes()) {
    const typed = { ...creation, valueSize: size, btfVmlinuxValueTypeId: id };
    if (tryCreate(typed) === undefined) return withTrialMap(typed, use);
  }
  return undefined;
}

function valueTypes(): ValueType[] {
  const btf = readBtf();
  if (!btf) return [];
  const headerSize = btf.readUInt32LE(4);
  const [typesAt = 0, typesSize = 0, stringsAt = 0, stringsSize = 0] = [8, 12, 16, 20].map((at) =>
    btf.readUInt32LE(at),
  );
  const types = btf.subarray(headerSize + typesAt).subarray(0, typesSize);
  const strings = btf.subarray(headerSize + stringsAt).subarray(0, stringsSize);
  return structsNamed(types, namesOf(strings));
}

function readBtf(): Buffer | undefined {
  try {
    return readFileSync(VMLINUX_BTF);
  } catch {
    // The kernel was built without it, or sysfs is not mounted.
    return undefined;
  }
}

/** Offsets of all strings that start with the prefix. */
function namesOf(strings: Buffer): ReadonlySet<number> {
  const names = new Set<number>();
  const needle = `\0${PREFIX}`;
  for (let at = strings.indexOf(needle); at >= 0; at = strings.indexOf(needle, at + 1)) {
    names.add(at + 1);
  }
  return names;
}

function structsNamed(types: Buffer, names: ReadonlySet<number>): ValueType[] {
  const found: ValueType[] = [];
  for (let at = 0, id = 1; at < types.length; id++) {
    const info = types.readUInt32LE(at + 4);
    const kind = (info >>> 24) & 0x1f;
    if (kind === KIND_STRUCT && names.has(types.readUInt32LE(at))) {
      found.push({ id, size: types.readUInt32LE(at + 8) });
    }
    const { own = 0, each = 0 } = TAIL[kind] ?? {};
    at += TYPE_HEADER + own + each * (info & 0xffff);
  }
  return found;
}
