import { readFileSync, type Stats, statSync } from "node:fs";
import { stat } from "node:fs/promises";

/**
 * How often a file is looked at, in milliseconds. Looked at and not waited for by
 * inotify: what Kubernetes and certificate tools put in place is a link to a link whose
 * middle is exchanged, which tells nothing to who watches either end.
 */
const LOOK_MS = 300;

/** A value that follows a file. */
export interface FileSource<T> {
  /** What the file said when it was last valid. */
  readonly value: T;
  /** Calls back after each change. */
  onChange(listener: () => void): void;
}

/** What becomes of the changes of a file. */
export interface FileEvents {
  /** A change was taken over. */
  onReloaded?: ((path: string) => void) | undefined;
  /** A change is not valid, so that what was before still holds. */
  onRefused?: ((path: string, why: string) => void) | undefined;
}

/** Files that are read together, and again whenever one of them changes. */
export class WatchedFiles<T> implements FileSource<T> {
  readonly #paths: readonly string[];
  readonly #read: (contents: readonly Buffer[]) => T;
  readonly #events: FileEvents;
  readonly #listeners: (() => void)[] = [];
  #value: T;
  /** What the files were when they were last read, valid or not. */
  #seen = "";
  #refused: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  /**
   * Reads the files at once, and throws what is wrong with them.
   *
   * @param read what the files say; throws an Error for a person
   */
  constructor(
    paths: readonly string[],
    read: (contents: readonly Buffer[]) => T,
    events: FileEvents = {},
  ) {
    this.#paths = paths;
    this.#read = read;
    this.#events = events;
    this.#value = this.#load();
    this.#lookLater();
  }

  get value(): T {
    return this.#value;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Looks no more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #lookLater(): void {
    this.#timer = setTimeout(() => void this.#look(), LOOK_MS).unref();
  }

  async #look(): Promise<void> {
    const looked = this.#timer;
    const found = await Promise.all(this.#paths.map((path) => stat(path).catch(() => undefined)));
    if (this.#timer !== looked) return; // closed meanwhile
    // A file that is gone for a moment is being replaced.
    const isThere = found.every((stats) => stats !== undefined);
    if (isThere && tellApart(found as Stats[]) !== this.#seen) this.#reload();
    this.#lookLater();
  }

  /** A certificate that has come before its key is taken over with the key. */
  #reload(): void {
    let value: T;
    try {
      value = this.#load();
    } catch (error) {
      this.#refuse((error as Error).message);
      return;
    }
    this.#refused = undefined;
    this.#value = value;
    this.#events.onReloaded?.(this.#paths.join(", "));
    for (const listener of this.#listeners) listener();
  }

  #load(): T {
    // Before they are read: what changes meanwhile is seen by the next look.
    this.#seen = tellApart(this.#paths.map((path) => statSync(path)));
    return this.#read(this.#paths.map((path) => readFileSync(path)));
  }

  #refuse(why: string): void {
    if (this.#refused === why) return;
    this.#refused = why;
    this.#events.onRefused?.(this.#paths.join(", "), why);
  }
}

function tellApart(files: readonly Stats[]): string {
  return files
    .map(({ dev, ino, size, mtimeMs, ctimeMs }) => [dev, ino, size, mtimeMs, ctimeMs])
    .join();
}
