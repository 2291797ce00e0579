import { closeSync, constants, fstatSync, openSync, readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { KernelError } from "../errno.js";

/** CGROUP2_SUPER_MAGIC and CGROUP_SUPER_MAGIC of include/uapi/linux/magic.h. */
const FILESYSTEMS: ReadonlyMap<number, 1 | 2> = new Map([
  [0x63677270, 2],
  [0x27e0eb, 1],
]);

/** A cgroup's directory, held open. */
export interface OpenCgroup {
  /** Close it when it is not needed any more. */
  readonly fd: number;
  /** The id by which programs and maps know the cgroup. */
  readonly id: bigint;
  /** Of the hierarchy. Only version 2 goes into cgroup arrays. */
  readonly version: 1 | 2;
}

/**
 * Where the version 2 hierarchy is mounted: /sys/fs/cgroup on most hosts, elsewhere where
 * both versions are in use; undefined where it is not.
 */
export function cgroup2Mount(): string | undefined {
  return cgroup2MountIn(readFileSync("/proc/self/mounts", "utf8"));
}

/** The same, of the text of a /proc/PID/mounts. */
export function cgroup2MountIn(mounts: string): string | undefined {
  for (const line of mounts.split("\n")) {
    const [, directory, type] = line.split(" ");
    if (type === "cgroup2" && directory !== undefined) return unescaped(directory);
  }
  return undefined;
}

/**
 * Opens a cgroup by the path of its directory, absolute or from {@link cgroup2Mount}.
 * Throws KernelError: ENOENT, ENOTDIR, or EBADF for a directory that is no cgroup.
 */
export function openCgroup(path: string): OpenCgroup {
  const directory = path.startsWith("/") ? path : join(cgroup2Mount() ?? "/sys/fs/cgroup", path);
  const fd = openDirectory(directory);
  try {
    const version = FILESYSTEMS.get(statfsSync(`/proc/self/fd/${fd}`).type);
    if (version === undefined) throw new KernelError("EBADF", "open");
    // kernfs gives directories their id as inode number on 64-bit machines.
    return { fd, id: fstatSync(fd, { bigint: true }).ino, version };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openDirectory(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
    if (code === undefined) throw error;
    throw new KernelError(code, "open");
  }
}

/** The kernel writes space, tab, newline and backslash as octal numbers. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
