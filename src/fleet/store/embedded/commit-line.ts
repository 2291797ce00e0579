import type { DiskWrite } from "./disk-layout.js";

interface Job {
  readonly writes: readonly DiskWrite[];
  readonly bytes: number;
  readonly written: () => void;
  readonly settle: () => Promise<void>;
  readonly fail: (error: unknown, begun: boolean) => void;
}

/** Bytes that are written together: what waits for one sync shares the next. */
const GROUP_BYTES = 4 * 1024 * 1024;

/**
 * Writes to the disk one after the other, in the order they are asked for; those that wait are
 * written and synced together. When one fails, so do all that wait, as they stand on it.
 */
export class CommitLine {
  readonly #write: (writes: readonly DiskWrite[]) => Promise<void>;
  readonly #waiting: Job[] = [];
  #running: Promise<void> | undefined;

  constructor(write: (writes: readonly DiskWrite[]) => Promise<void>) {
    this.#write = write;
  }

  /**
   * Writes, and answers when it is on the disk.
   * @param written called at once when it is, before anything else is
   * @param answer makes the answer before the next write begins
   * @param failed makes the error from the disk's; `begun` where this write was under way
   */
  commit<T>(
    writes: readonly DiskWrite[],
    written: () => void,
    answer: () => Promise<T>,
    failed: (error: unknown, begun: boolean) => unknown,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        writes,
        bytes: writes.reduce((sum, [, value]) => sum + (value?.length ?? 0), 0),
        written,
        settle: () => answer().then(resolve, reject),
        fail: (error, begun) => reject(failed(error, begun)),
      });
      this.#running ??= this.#run();
    });
  }

  /** Settles when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup();
      const writes = group.flatMap((job) => job.writes);
      try {
        if (writes.length > 0) await this.#write(writes);
      } catch (error) {
        for (const job of group) job.fail(error, true);
        for (const job of this.#waiting.splice(0)) job.fail(error, false);
        break;
      }
      for (const job of group) job.written();
      await Promise.all(group.map((job) => job.settle()));
    }
    this.#running = undefined;
  }

  #nextGroup(): Job[] {
    let bytes = 0;
    const end = this.#waiting.findIndex((job) => {
      bytes += job.bytes;
      return bytes > GROUP_BYTES;
    });
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : Math.max(1, end));
  }
}
