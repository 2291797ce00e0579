import { closeSync, existsSync, mkdirSync, openSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { isBpffs, tryLock } from "../kernel/index.js";
import { MapError } from "./map-error.js";

/** The directory on bpffs whose pins are a daemon's holds: its own, as two would end each other's leases. */
export class HoldDirectory {
  readonly #path: string;
  #lock: number;

  /** Makes the directory where it is missing. Throws where another daemon uses it. */
  constructor(path: string) {
    this.#path = path;
    this.#lock = lock(path);
  }

  /** The path of a file in it. */
  pathOf(file: string): string {
    return `${this.#path}/${file}`;
  }

  /** The names of all files in it. */
  files(): string[] {
    return readdirSync(this.#path);
  }

  /**
   * Makes it anew where a bpffs has been mounted again after the one before was unmounted,
   * with all pins. HOLDS_UNAVAILABLE where none is mounted.
   */
  restore(): void {
    const path = this.#path;
    if (!isOnBpffs(path)) {
      throw new MapError(
        "HOLDS_UNAVAILABLE",
        `a hold would end with the daemon, as ${path} is on no bpffs any more: mount it again`,
        { metadata: { path } },
      );
    }
    const before = this.#lock;
    this.#lock = lock(path);
    closeSync(before);
  }

  /** Leaves it to the next daemon. */
  close(): void {
    closeSync(this.#lock);
  }
}

function lock(path: string): number {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const fd = openSync(path, "r");
  if (tryLock(fd)) return fd;
  closeSync(fd);
  throw new Error(
    `another bpfmapd keeps its held maps in ${path}: stop it, or set bpffs.hold_directory to another place`,
  );
}

/** Whether a directory, or the nearest above it that is there, is on a bpffs. */
function isOnBpffs(path: string): boolean {
  return existsSync(path) ? isBpffs(path) : isOnBpffs(dirname(path));
}
