import { closeFd } from "../kernel/index.js";
import { MapError } from "./map-error.js";

/** Most objects that one request may have open, so that no client takes all of the fds. */
const MAX_OPEN = 4096;

/** File descriptors that are open for the time of one request, and what was found of them. */
export class OpenFds {
  readonly #fds: number[] = [];
  readonly #releases: (() => void)[] = [];
  readonly #notes = new Map<string, number>();

  /** Takes an fd over, to be closed with the others; answers it. */
  add(fd: number): number {
    this.#fds.push(fd);
    this.#checkCount();
    return fd;
  }

  /** The fd that was opened under this key, opened now where there is none. */
  once(key: string, open: () => number): number {
    return this.note(key, () => this.add(open()));
  }

  /** The number that was found under this key, found now where there is none. */
  note(key: string, find: () => number): number {
    const known = this.#notes.get(key);
    if (known !== undefined) return known;
    const found = find();
    this.#notes.set(key, found);
    return found;
  }

  /** Calls back when the fds are closed: for one that has other users, too. */
  onClose(release: () => void): void {
    this.#releases.push(release);
    this.#checkCount();
  }

  #checkCount(): void {
    if (this.#fds.length + this.#releases.length <= MAX_OPEN) return;
    throw new MapError(
      "LIMIT_EXCEEDED",
      `the elements name more than ${MAX_OPEN} kernel objects: write fewer in one call, or in one message of LoadMap`,
    );
  }

  /** Closes them all. */
  close(): void {
    for (const fd of this.#fds.splice(0)) closeFd(fd);
    for (const release of this.#releases.splice(0)) release();
  }
}
