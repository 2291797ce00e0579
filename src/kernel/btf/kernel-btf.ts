import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { closeFd } from "../fd.js";
import { Btf } from "./btf.js";
import { BtfError } from "./btf-error.js";
import { btfBytes, btfGetFdById, btfInfo, btfNextId } from "./btf-objects.js";

const DIRECTORY = "/sys/kernel/btf";
const VMLINUX = "vmlinux";

/**
 * The running kernel's own types: 5 MB read from sysfs, so keep it while it is needed.
 * undefined where the kernel was built without BTF.
 */
export function readKernelBtf(): Btf | undefined {
  const blob = readBlob(VMLINUX);
  return blob && Btf.parse(blob);
}

/** Names of the loaded modules that have BTF of their own. */
export function kernelModulesWithBtf(): string[] {
  try {
    return readdirSync(DIRECTORY).filter((name) => name !== VMLINUX);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** A module's types, which continue the kernel's; undefined where it has none. */
export function readModuleBtf(name: string, kernel: Btf): Btf | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(name)) throw new BtfError(`${name} is no name of a module`);
  const blob = readBlob(name);
  return blob && Btf.parse(blob, kernel);
}

/**
 * The types of a BTF object by id, which a map's or a program's info gives. A module's
 * continue the kernel's, for which `kernel` is asked. Throws KernelError.
 */
export function readBtfById(id: number, kernel: () => Btf | undefined): Btf {
  const fd = btfGetFdById(id);
  try {
    const { kernel: isKernels, name } = btfInfo(fd);
    const base = isKernels && name !== VMLINUX ? kernel() : undefined;
    return Btf.parse(btfBytes(fd), base);
  } finally {
    closeFd(fd);
  }
}

/** Id of the BTF object of the kernel ("vmlinux") or of a module; undefined for none. */
export function kernelBtfId(name: string): number | undefined {
  for (let id = btfNextId(0); id !== undefined; id = btfNextId(id)) {
    const fd = btfGetFdById(id);
    try {
      const info = btfInfo(fd);
      if (info.kernel && info.name === name) return id;
    } finally {
      closeFd(fd);
    }
  }
  return undefined;
}

function readBlob(name: string): Buffer | undefined {
  try {
    return readFileSync(join(DIRECTORY, name));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
