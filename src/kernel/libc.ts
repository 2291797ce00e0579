import { constants } from "node:buffer";
import koffi from "koffi";
import { Syscall } from "./numbers.js";

/*
 * All that koffi is used for. Every function here answers as the kernel does: a result
 * of 0 or more, or a negative errno. The addresses given must lie in an Arena, which
 * the garbage collector can neither move nor free.
 */

const libc = koffi.load("libc.so.6");

// Fixed prototypes: a variadic one costs 40 % more a call.
const bpfSyscall = libc.func("long syscall(long nr, int cmd, uintptr_t attr, uint32_t size)");
const openat2Syscall = libc.func(
  "long syscall(long nr, int dirfd, const char *path, uintptr_t how, size_t size)",
);
const calloc = libc.func("void *calloc(size_t count, size_t size)");
const freeMemory = libc.func("void free(void *memory)");
const mountFilesystem = libc.func(
  "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)",
);
const flockFile = libc.func("int flock(int fd, int operation)");
const getRlimit = libc.func("int getrlimit(int resource, uintptr_t limit)");
const setRlimit = libc.func("int setrlimit(int resource, uintptr_t limit)");

// errno belongs to the thread, and so does this module's instance: workers load their own.
const errno = new Int32Array(koffi.view(libc.func("void *__errno_location()")(), 4));

/** The result of a call, or its errno negated. Reads errno before anything can change it. */
function answer(result: number): number {
  return result < 0 ? -(errno[0] ?? 0) : result;
}

/** bpf(2) with the attribute at this address. */
export function bpf(command: number, attr: number, size: number): number {
  return answer(bpfSyscall(Syscall.bpf, command, attr, size));
}

/** openat2(2) with `struct open_how` at this address. */
export function openat2(dirfd: number, path: string, how: number, size: number): number {
  return answer(openat2Syscall(Syscall.openat2, dirfd, path, how, size));
}

/** mount(2) with no flags. */
export function mount(source: string, target: string, type: string, data: string): number {
  return answer(mountFilesystem(source, target, type, 0, data));
}

/** flock(2). */
export function flock(fd: number, operation: number): number {
  return answer(flockFile(fd, operation));
}

/** getrlimit(2) into `struct rlimit` at this address. */
export function getrlimit(resource: number, limit: number): number {
  return answer(getRlimit(resource, limit));
}

/** setrlimit(2) from `struct rlimit` at this address. */
export function setrlimit(resource: number, limit: number): number {
  return answer(setRlimit(resource, limit));
}

/** Zeroed memory that stays where it is until it is freed. */
export function allocate(size: number): { address: number; memory: ArrayBuffer } {
  // A view that V8 refuses to make ends the process, not only the call.
  const pointer = size > constants.MAX_LENGTH ? null : calloc(1, size);
  // koffi 3 gives pointers as bigint; user addresses stay below 2^53 on both machines.
  if (!pointer) throw new RangeError(`no memory for ${size} bytes`);
  return { address: Number(pointer), memory: koffi.view(pointer, size) };
}

/** Frees what {@link allocate} gave; no view of it may be used after. */
export function free(address: number): void {
  freeMemory(BigInt(address));
}
