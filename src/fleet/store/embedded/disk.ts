import { statfs } from "node:fs/promises";
import { ClassicLevel } from "classic-level";
import { StoreError, type StoreErrorCode } from "../store-error.js";
import {
  type DiskWrite,
  FORMAT,
  FORMAT_KEY,
  LEASES,
  readLease,
  readState,
  readStep,
  STATE_KEY,
  STEPS,
  type State,
  valueKey,
  valuesUpTo,
  writeState,
} from "./disk-layout.js";
import type { Step, Version } from "./version.js";

/** What the disk has, when it is opened. */
export interface DiskContents {
  readonly state: State;
  readonly steps: readonly Step[];
  readonly leases: readonly { readonly id: bigint; readonly seconds: number }[];
}

/** What an engine writes to: {@link Disk}, or what a simulator has in its place. */
export type EngineDisk = Pick<Disk, keyof Disk>;

type Database = ClassicLevel<string, Uint8Array>;

const BINARY = { keyEncoding: "utf8", valueEncoding: "view" } as const;

/**
 * The database on the disk: LevelDB, which one process opens at a time. A write is in its log,
 * whole and synced, before it is answered; what a crash tore off at the log's end is left out
 * when it is opened again.
 *
 * After a write that failed, the log may have an end that LevelDB would write on behind, and later
 * lose, and what failed in the background it answers for ever: so the database is closed, opened
 * anew, and the write done once more, which comes to the same should it have been done already.
 */
export class Disk {
  readonly #directory: string;
  #database: Database | undefined;
  /** Space that is given back in the background. */
  #reclaiming: Promise<void> = Promise.resolve();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Opens the database, or makes it, and reads what is in it, but for values. */
  async open(): Promise<DiskContents> {
    const database = await this.#reopen();
    try {
      return await this.#contents(database);
    } catch (error) {
      await this.close();
      throw error instanceof StoreError ? error : this.#failure("read", error);
    }
  }

  /**
   * Writes all of it or nothing, and answers when it is on the disk. UNAVAILABLE or NO_SPACE:
   * it may be there all the same, and nothing but `open` may follow.
   */
  async write(writes: readonly DiskWrite[]): Promise<void> {
    const batch = writes.map(([key, value]) =>
      value === null ? { type: "del" as const, key } : { type: "put" as const, key, value },
    );
    const write = (database: Database) => database.batch(batch, { ...BINARY, sync: true });
    try {
      await write(this.#opened).catch(async () => write(await this.#reopen()));
    } catch (error) {
      throw error instanceof StoreError ? error : this.#failure("write to", error, true);
    }
  }

  /** The values of versions, in their place; undefined for one that is gone, as by compaction. */
  async values(versions: readonly Version[]): Promise<(Uint8Array | undefined)[]> {
    if (versions.length === 0) return [];
    try {
      const found = await this.#opened.getMany(versions.map(valueKey), BINARY);
      return found.map((value) => (value === undefined ? undefined : asBytes(value)));
    } catch (error) {
      throw this.#failure("read", error);
    }
  }

  /** Bytes that are free on the file system. */
  async freeBytes(): Promise<number> {
    try {
      const { bavail, bsize } = await statfs(this.#directory);
      return bavail * bsize;
    } catch (error) {
      throw this.#failure("look at", error);
    }
  }

  /** Gives back the space of values that were removed, up to a revision, in the background. */
  reclaim(revision: bigint): void {
    const { from, to } = valuesUpTo(revision);
    const database = this.#opened;
    const reclaim = () => database.compactRange(from, to, { keyEncoding: "utf8" });
    // Nobody waits for it; where it fails, the next write or the next compaction tells.
    this.#reclaiming = this.#reclaiming.then(reclaim).catch(() => {});
  }

  async close(): Promise<void> {
    const database = this.#database;
    this.#database = undefined;
    await this.#reclaiming;
    try {
      await database?.close();
    } catch (error) {
      throw this.#failure("close", error);
    }
  }

  get #opened(): Database {
    if (this.#database !== undefined) return this.#database;
    throw new StoreError("UNAVAILABLE", `the store in ${this.#directory} is not open`);
  }

  async #reopen(): Promise<Database> {
    await this.close();
    const database: Database = new ClassicLevel(this.#directory, BINARY);
    try {
      await database.open();
    } catch (error) {
      throw this.#openError(error);
    }
    this.#database = database;
    return database;
  }

  async #contents(database: Database): Promise<DiskContents> {
    const format = await database.get(FORMAT_KEY, BINARY);
    if (format === undefined) return await this.#begin(database);
    if (Buffer.from(format).toString() !== FORMAT) {
      throw this.#damaged(`has format ${Buffer.from(format)}, and this version reads ${FORMAT}`);
    }
    const state = await database.get(STATE_KEY, BINARY);
    if (state === undefined) throw this.#damaged("has no state");
    const steps = await database.iterator({ ...STEPS, ...BINARY }).all();
    const leases = await database.iterator({ ...LEASES, ...BINARY }).all();
    const contents = {
      state: readState(state),
      steps: steps.map(([key, value]) => readStep(key, value)),
      leases: leases.map(([key, value]) => readLease(key, value)),
    };
    this.#requireAll(contents);
    return contents;
  }

  /**
   * LevelDB leaves out of its log what has rotted, without a word. Each revision after the last
   * compaction has its step, so that one in the middle is missed.
   */
  #requireAll({ state: { revision, compactRevision }, steps }: DiskContents): void {
    let expected = compactRevision > 0n ? compactRevision + 1n : 2n;
    for (const step of steps) {
      if (step.revision < expected) continue;
      if (step.revision > expected) break;
      expected++;
    }
    if (expected <= revision) throw this.#damaged(`lacks revision ${expected}`);
  }

  async #begin(database: Database): Promise<DiskContents> {
    const [other] = await database.keys({ limit: 1 }).all();
    if (other !== undefined) throw this.#damaged("is a database of something else");
    await this.write([[FORMAT_KEY, Buffer.from(FORMAT)], writeState(1n, 0n)]);
    return { state: { revision: 1n, compactRevision: 0n }, steps: [], leases: [] };
  }

  #damaged(what: string): StoreError {
    return new StoreError("DAMAGED", `the store in ${this.#directory} ${what}`);
  }

  #openError(error: unknown): StoreError {
    const cause = (error as Error).cause as { code?: string; message?: string } | undefined;
    if (cause?.code === "LEVEL_LOCKED") {
      return new StoreError(
        "LOCKED",
        `the store in ${this.#directory} is open in another process: one at a time can have it`,
        { cause: error },
      );
    }
    if (cause?.code === "LEVEL_CORRUPTION") {
      return new StoreError(
        "DAMAGED",
        `the store in ${this.#directory} is broken: ${cause.message}`,
        {
          cause: error,
        },
      );
    }
    return this.#failure("open", cause ?? error);
  }

  #failure(what: string, cause: unknown, maybeApplied = false): StoreError {
    const text = cause instanceof Error ? cause.message : String(cause);
    const full = text.includes("No space left on device");
    const code: StoreErrorCode = full ? "NO_SPACE" : "UNAVAILABLE";
    return new StoreError(code, `cannot ${what} the store in ${this.#directory}: ${text}`, {
      cause,
      maybeApplied,
    });
  }
}

/** LevelDB's binding answers Buffers; callers are to see Uint8Array. */
function asBytes({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
