import { mkdirSync, statfsSync } from "node:fs";
import { withArena } from "./arena.js";
import { errnoName, KernelError } from "./errno.js";
import { mount, openat2 } from "./libc.js";

/** BPF_FS_MAGIC of include/uapi/linux/magic.h. */
const BPF_FS_MAGIC = 0xcafe4a11;

/** Whether a path lies on a mounted bpffs. Throws where it does not exist. */
export function isBpffs(path: string): boolean {
  return statfsSync(path).type === BPF_FS_MAGIC;
}

/** Mounts a bpffs on a directory, readable by its owner only; makes the directory. */
export function mountBpffs(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const result = mount("bpf", directory, "bpf", "mode=0700");
  if (result < 0) throw new KernelError(errnoName(-result), "mount");
}

const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const RESOLVE_NO_XDEV = 0x01;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
const O_DIRECTORY = process.arch === "arm64" ? 0o40000 : 0o200000;

/**
 * Opens what lies at `path` beneath the directory `dirfd`, as an O_PATH fd
 * (close-on-exec). The kernel refuses, without a race, every step that leaves the
 * directory (EXDEV), crosses a mount (EXDEV) or is a symbolic link (ELOOP).
 * openat2(2), Linux 5.6.
 *
 * `/proc/self/fd/N` of the answer, or `/proc/self/fd/N/NAME` for a directory, then
 * names exactly that inode for calls that take paths.
 */
export function openBeneath(dirfd: number, path: string, kind: "any" | "directory"): number {
  const size = 24;
  return withArena(size, (how) => {
    how.setU64(0, O_PATH + O_CLOEXEC + (kind === "directory" ? O_DIRECTORY : 0));
    how.setU64(16, RESOLVE_BENEATH + RESOLVE_NO_SYMLINKS + RESOLVE_NO_XDEV);
    const result = openat2(dirfd, path, how.address, size);
    if (result < 0) throw new KernelError(errnoName(-result), "openat2");
    return result;
  });
}
