import { readFileSync } from "node:fs";
import { endianness, hostname, machine, release } from "node:os";

/** Id of the running boot. Map ids are valid only within it. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}

/** What the kernel calls itself and the host. */
export function hostNames(): { hostname: string; kernelRelease: string; machine: string } {
  return { hostname: hostname(), kernelRelease: release(), machine: machine() };
}

/** Whether numbers in keys and values are little-endian. */
export function isLittleEndian(): boolean {
  return endianness() === "LE";
}

/** Size of a memory page in bytes, from the ELF auxiliary vector (AT_PAGESZ). */
export function pageSize(): number {
  const AT_PAGESZ = 6n;
  const vector = readFileSync("/proc/self/auxv");
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    if (vector.readBigUInt64LE(at) === AT_PAGESZ) return Number(vector.readBigUInt64LE(at + 8));
  }
  return 4096;
}
