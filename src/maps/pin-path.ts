import { closeSync, mkdirSync, openSync, rmdirSync, unlinkSync } from "node:fs";
import { posix } from "node:path";
import {
  closeFd,
  isBpffs,
  isMapFd,
  KernelError,
  objGet,
  objPin,
  openBeneath,
} from "../kernel/index.js";
import { explainKernelError } from "./explain.js";
import { MapError, type MapErrorReason } from "./map-error.js";

/**
 * Pins inside the configured bpffs roots. Every path is walked by the kernel beneath
 * its root without following a link, so neither `..` nor a race leads outside.
 */
export class PinPaths {
  readonly roots: readonly string[];
  readonly #reserved: string;

  /**
   * @param roots absolute paths of directories on bpffs
   * @param reserved the daemon's own directory of holds, which no request may name
   */
  constructor(roots: readonly string[], reserved: string) {
    this.roots = roots;
    this.#reserved = reserved;
  }

  /** Whether a path is the daemon's own directory of holds, or lies in it. */
  isReserved(path: string): boolean {
    return path === this.#reserved || path.startsWith(`${this.#reserved}/`);
  }

  /**
   * Opens the map pinned at a path: a new fd.
   *
   * @param readOnly one that cannot write
   */
  open(path: string, field: string, readOnly = false): number {
    return this.#inParent(path, field, (parent, name) =>
      openMapIn(parent, name, path, field, readOnly),
    );
  }

  /** Opens whatever is pinned at a path, a map or not: a new fd. */
  openObject(path: string, field: string): number {
    return this.#inParent(path, field, (parent, name) => openPinIn(parent, name));
  }

  /**
   * Pins the object of an fd at a path; directories made for it go again where that
   * fails. Answers what undoes it all.
   */
  pin(path: string, fd: number, createParents: boolean, field: string): () => void {
    const made: string[] = [];
    try {
      if (createParents) this.#makeParents(path, field, made);
      this.#inParent(path, field, (parent, name) => objPin(childOf(parent, name), fd));
    } catch (error) {
      this.#removeDirectories(made, field);
      throw error instanceof MapError && error.reason === "PIN_NOT_FOUND" ? noParent(path) : error;
    }
    return () => {
      this.unpin(path, false, field);
      this.#removeDirectories(made, field);
    };
  }

  /** Removes a map's pin, and then, if asked, the directories that it leaves empty. */
  unpin(path: string, removeEmptyParents: boolean, field: string): void {
    this.#inParent(path, field, (parent, name) => {
      closeFd(openMapIn(parent, name, path, field));
      unlinkSync(childOf(parent, name));
    });
    if (removeEmptyParents) this.#removeDirectories(this.#parentsOf(path, field), field);
  }

  /** The root that a path lies in and the rest of the path; MapError where it is not fit. */
  #locate(path: string, field: string): { root: string; rest: string } {
    if (!isNormal(path)) {
      throw pathError(
        "PIN_PATH_INVALID",
        field,
        path,
        "give an absolute path without '..', '.', '//' and a '/' at its end",
      );
    }
    const root = this.roots.find((candidate) => path.startsWith(`${candidate}/`));
    if (root === undefined) {
      throw pathError(
        "PIN_PATH_OUTSIDE_ROOT",
        field,
        path,
        `pins lie inside ${this.roots.join(" or ")}`,
      );
    }
    if (this.isReserved(path)) {
      throw pathError(
        "PIN_PATH_INVALID",
        field,
        path,
        "this directory is the daemon's own; name the map by its hold",
      );
    }
    const rest = path.slice(root.length + 1);
    if (rest.includes(".")) {
      throw pathError("PIN_PATH_INVALID", field, path, "bpffs allows no '.' in a name");
    }
    return { root, rest };
  }

  #inParent<T>(path: string, field: string, use: (parent: number, name: string) => T): T {
    const { root, rest } = this.#locate(path, field);
    const directory = posix.dirname(rest);
    try {
      return inRoot(root, (rootFd) => {
        const parent = openBeneath(rootFd, directory, "directory");
        try {
          return use(parent, posix.basename(rest));
        } finally {
          closeFd(parent);
        }
      });
    } catch (error) {
      throw explainPathError(error, path, field, root);
    }
  }

  /** Directories of a path below its root, outermost first. */
  #parentsOf(path: string, field: string): string[] {
    const { root, rest } = this.#locate(path, field);
    const names = rest.split("/").slice(0, -1);
    return names.map((_, index) => `${root}/${names.slice(0, index + 1).join("/")}`);
  }

  /** Makes the missing directories of a path; notes those it made, outermost first. */
  #makeParents(path: string, field: string, made: string[]): void {
    for (const directory of this.#parentsOf(path, field)) {
      this.#inParent(directory, field, (parent, name) => {
        try {
          mkdirSync(childOf(parent, name), { mode: 0o700 });
          made.push(directory);
        } catch (error) {
          if (codeOf(error) !== "EEXIST") throw error;
        }
      });
    }
  }

  #removeDirectories(outermostFirst: readonly string[], field: string): void {
    for (const directory of outermostFirst.toReversed()) {
      try {
        this.#inParent(directory, field, (parent, name) => rmdirSync(childOf(parent, name)));
      } catch {
        return; // not empty, or somebody else's business: leave it
      }
    }
  }
}

/** Whether a path is absolute and has no part that leads nowhere, up, or is empty. */
function isNormal(path: string): boolean {
  return (
    path.startsWith("/") &&
    !path.endsWith("/") &&
    !path.includes("\0") &&
    posix.normalize(path) === path
  );
}

/** Names an entry of an open directory so that no link or race can redirect it. */
function childOf(directoryFd: number, name: string): string {
  return `/proc/self/fd/${directoryFd}/${name}`;
}

function inRoot<T>(root: string, use: (rootFd: number) => T): T {
  const rootFd = openSync(root, "r");
  try {
    // Of what was opened: the path may come to name something else.
    if (!isBpffs(`/proc/self/fd/${rootFd}`)) throw new NotBpffs();
    return use(rootFd);
  } finally {
    closeSync(rootFd);
  }
}

class NotBpffs extends Error {}

function openMapIn(
  parent: number,
  name: string,
  path: string,
  field: string,
  readOnly = false,
): number {
  const fd = openPinIn(parent, name, readOnly);
  if (isMapFd(fd)) return fd;
  closeFd(fd);
  throw pathError("NOT_A_MAP", field, path, "what is pinned there is no map");
}

function openPinIn(parent: number, name: string, readOnly = false): number {
  const inode = openBeneath(parent, name, "any");
  try {
    return objGet(`/proc/self/fd/${inode}`, readOnly);
  } finally {
    closeFd(inode);
  }
}

function noParent(path: string): MapError {
  return new MapError(
    "PIN_NOT_FOUND",
    `the directory of ${path} is not there: make it, or set create_parents`,
    { metadata: { path } },
  );
}

function codeOf(error: unknown): string | undefined {
  if (error instanceof KernelError) return error.errno;
  return (error as NodeJS.ErrnoException).code;
}

function pathError(reason: MapErrorReason, field: string, path: string, what: string): MapError {
  return new MapError(reason, `pin path ${JSON.stringify(path)}: ${what}`, {
    violations: [{ field, description: what }],
    metadata: { path },
  });
}

function explainPathError(error: unknown, path: string, field: string, root: string): unknown {
  if (error instanceof MapError) return error;
  if (error instanceof NotBpffs) {
    return pathError("PIN_PATH_INVALID", field, path, `${root} is not a mounted bpffs`);
  }
  switch (codeOf(error)) {
    case "ENOENT":
      return new MapError("PIN_NOT_FOUND", `nothing is at ${path}`, {
        metadata: { path },
        cause: error,
      });
    case "EEXIST":
      return new MapError("PIN_EXISTS", `something is pinned at ${path} already`, {
        metadata: { path },
        cause: error,
      });
    case "ELOOP":
      return pathError(
        "PIN_PATH_INVALID",
        field,
        path,
        "a symbolic link is on the way; name the place itself",
      );
    case "EXDEV":
      return pathError(
        "PIN_PATH_OUTSIDE_ROOT",
        field,
        path,
        "another file system is mounted on the way",
      );
    case "ENOTDIR":
      return pathError("PIN_PATH_INVALID", field, path, "what is on the way is no directory");
    case "EISDIR":
      return pathError("NOT_A_MAP", field, path, "it is a directory");
    case "ENAMETOOLONG":
      return pathError("PIN_PATH_INVALID", field, path, "a part of it is longer than 255 bytes");
    // BPF_OBJ_GET answers EACCES for what is no pin, such as a directory.
    case "EACCES":
      return pathError("NOT_A_MAP", field, path, "what is there is no map's pin");
    case "EPERM":
      return new MapError("KERNEL_DENIED", `the kernel refused the daemon the path ${path}`, {
        metadata: { path, errno: "EPERM" },
        cause: error,
      });
    default:
      return explainKernelError(error, `pin path ${JSON.stringify(path)}`) ?? error;
  }
}
