import type { Clock } from "../../clock.js";
import { Bell } from "../bell.js";
import { StoreError, storeClosed, throwIfAborted } from "../store-error.js";
import { CommitLine } from "./commit-line.js";
import type { DiskContents, EngineDisk } from "./disk.js";
import type { DiskWrite } from "./disk-layout.js";
import { History } from "./history.js";
import { LeaseTable } from "./lease-table.js";

/**
 * The state in memory and on the disk, kept together. Memory goes ahead: transactions are carried
 * out there at once, one after the other, and written together. Nobody is told anything of a
 * revision that is not on the disk yet, and where writing fails, memory is read anew.
 */
export class Engine {
  /** Rings when a revision has come to the disk, leases have changed, or the store is closed. */
  readonly bell = new Bell();
  readonly #disk: EngineDisk;
  readonly #clock: Clock;
  readonly #reserveBytes: number;
  readonly #line = new CommitLine((writes) => this.#write(writes));
  #history = new History();
  #leases = new LeaseTable();
  #durable = 0n;
  /** Bytes of writes that asked for space and are not over. */
  #underWayBytes = 0;
  #isClosed = false;
  /** Memory is ahead of the disk for good, and the database may not be written: see Disk. */
  #isBroken = false;
  #reopening: Promise<void> | undefined;

  private constructor(disk: EngineDisk, clock: Clock, reserveBytes: number) {
    this.#disk = disk;
    this.#clock = clock;
    this.#reserveBytes = reserveBytes;
  }

  static async open(disk: EngineDisk, clock: Clock, reserveBytes: number): Promise<Engine> {
    const engine = new Engine(disk, clock, reserveBytes);
    engine.#take(await disk.open());
    return engine;
  }

  get history(): History {
    return this.#history;
  }

  get leases(): LeaseTable {
    return this.#leases;
  }

  /** The last revision that is on the disk: what may be told. */
  get revision(): bigint {
    return this.#durable;
  }

  get disk(): EngineDisk {
    return this.#disk;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Resolves when the state may be read and changed. CLOSED, CANCELLED, and what opening throws
   * where it had to be opened anew.
   */
  async usable(signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    // Looked at again after each wait: it may have broken or been closed meanwhile.
    while (this.#isBroken && !this.#isClosed) await this.#reopen();
    if (this.#isClosed) throw storeClosed();
  }

  /**
   * Refuses with NO_SPACE a write that would take the file system below the reserve: before
   * anything is tried, so that the disk's end is never met halfway, and compaction has room.
   * @param bytes of the write, which count until it is over
   */
  async withSpace<T>(bytes: number, write: () => Promise<T>): Promise<T> {
    this.#underWayBytes += bytes;
    const wanted = this.#underWayBytes;
    try {
      const free = await this.#disk.freeBytes();
      if (free - wanted < this.#reserveBytes) throw this.#noSpace(free);
      return await write();
    } finally {
      this.#underWayBytes -= bytes;
    }
  }

  /**
   * Writes what was changed in memory just now, and answers when it is on the disk.
   * @param answer makes the answer; values of what was written can be read, and nothing that
   * comes later is written before it has them
   */
  async commit<T>(writes: readonly DiskWrite[], answer: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw storeClosed();
    // It broke since `usable`: what was changed in memory will be read anew.
    if (this.#isBroken) throw new StoreError("UNAVAILABLE", "the write before this one failed");
    const { revision } = this.#history;
    const written = () => {
      this.#durable = revision;
      this.bell.ring();
    };
    return this.#line.commit(writes, written, answer, (error, begun) =>
      asFailed(error, begun && writes.length > 0),
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.bell.ring();
    await this.#line.idle();
    await this.#reopening?.catch(() => {});
    await this.#disk.close();
  }

  #noSpace(free: number): StoreError {
    return new StoreError(
      "NO_SPACE",
      `the store's disk has ${free} bytes free and ${this.#reserveBytes} are kept in reserve:` +
        " nothing was written; make room, or delete and compact",
    );
  }

  async #write(writes: readonly DiskWrite[]): Promise<void> {
    try {
      await this.#disk.write(writes);
    } catch (error) {
      this.#isBroken = true;
      throw error;
    }
  }

  #reopen(): Promise<void> {
    this.#reopening ??= this.#disk
      .open()
      .then((contents) => this.#take(contents))
      .finally(() => {
        this.#reopening = undefined;
      });
    return this.#reopening;
  }

  #take({ state, steps, leases }: DiskContents): void {
    this.#history = new History(state.revision, state.compactRevision);
    for (const step of steps) this.#history.load(step);
    this.#leases = new LeaseTable();
    const now = this.#clock.now();
    for (const { id, seconds } of leases) this.#leases.add(id, seconds, now + seconds * 1000);
    for (const { key, lease } of this.#history.present()) this.#leases.move(key, 0n, lease);
    this.#durable = state.revision;
    this.#isBroken = false;
    this.bell.ring();
  }
}

function asFailed(error: unknown, maybeApplied: boolean): unknown {
  if (!(error instanceof StoreError) || error.maybeApplied === maybeApplied) return error;
  return new StoreError(error.code, error.message, { maybeApplied, cause: error.cause });
}
