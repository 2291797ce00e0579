import { setTimeout as sleep } from "node:timers/promises";
import { KernelError, UserRingBufferWriter } from "../kernel/index.js";
import {
  fieldError,
  MapError,
  type MapRef,
  MapType,
  type OpenMap,
  openMap,
  Turns,
} from "../maps/index.js";
import { explainErrno } from "./explain-errno.js";
import type { RecordHub } from "./record-hub.js";

/** Where to write; the contract's `WriteRecordsStart`. */
export interface WriteStart {
  readonly map: MapRef;
  readonly whenFull: "wait" | "fail";
}

/** Records to write, in order. */
export interface RecordColumns {
  /** Length of each in bytes. */
  readonly sizes: readonly number[];
  /** All of them, back to back. */
  readonly data: Uint8Array;
}

/**
 * How often to look for room, in milliseconds: sooner at first. The kernel is of no help:
 * it calls a ring writable that has room for anything at all, and a program may drain it
 * without a wake-up.
 */
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 16;

/** Records that are written between two looks at the clock. */
const RECORDS_A_LOOK = 32;

/**
 * Writes records into a user ring buffer; answers how many. What was written before an
 * error stays, and the error has its number as "written".
 *
 * @param chunks each is checked whole before any record of it is written
 */
export async function writeRecords(
  hub: RecordHub,
  start: WriteStart,
  chunks: AsyncIterable<RecordColumns>,
  signal: AbortSignal,
): Promise<{ written: number }> {
  const map = await openMap(hub.host, start.map, "start.map");
  try {
    requireUserRing(map);
    const giveBack = hub.takeForWriting(map);
    try {
      return await new RingWrite(map, start.whenFull, signal).run(chunks);
    } finally {
      giveBack();
    }
  } catch (error) {
    throw map.named(error);
  } finally {
    map.close();
  }
}

function requireUserRing({ info, label }: OpenMap): void {
  if (info.type === MapType.USER_RINGBUF) return;
  throw new MapError(
    "OPERATION_NOT_SUPPORTED",
    `${label} takes no records: only user ring buffers do`,
    { metadata: { map: label, operation: "write records" } },
  );
}

/** One call's writing. */
class RingWrite {
  readonly #map: OpenMap;
  readonly #whenFull: WriteStart["whenFull"];
  readonly #signal: AbortSignal;
  readonly #writer: UserRingBufferWriter;
  readonly #turns = new Turns();
  #written = 0;

  constructor(map: OpenMap, whenFull: WriteStart["whenFull"], signal: AbortSignal) {
    this.#map = map;
    this.#whenFull = whenFull;
    this.#signal = signal;
    this.#writer = openWriter(map);
  }

  async run(chunks: AsyncIterable<RecordColumns>): Promise<{ written: number }> {
    try {
      for await (const chunk of chunks) {
        this.#check(chunk);
        await this.#write(chunk);
      }
      return { written: this.#written };
    } catch (error) {
      if (!(error instanceof MapError)) throw error;
      throw error.with({ written: String(this.#written) });
    } finally {
      this.#writer.close();
    }
  }

  #check({ sizes, data }: RecordColumns): void {
    const total = sizes.reduce((sum, size) => sum + size, 0);
    if (total !== data.length) {
      throw fieldError(
        "FIELD_INVALID",
        "records.sizes",
        `${sizes.length} sizes add up to ${total} bytes, but data has ${data.length}`,
      );
    }
    const { longestRecord } = this.#writer;
    const index = sizes.findIndex((size) => size > longestRecord);
    if (index < 0) return;
    throw fieldError(
      "RECORD_TOO_LARGE",
      `records.sizes[${index}]`,
      `a record of ${sizes[index]} bytes does not fit: this ring takes at most ${longestRecord}`,
    ).with({ index: String(index), longest: String(longestRecord) });
  }

  async #write({ sizes, data }: RecordColumns): Promise<void> {
    let start = 0;
    for (const size of sizes) {
      const record = data.subarray(start, start + size);
      if (!this.#writer.write(record)) await this.#untilWritten(record);
      this.#written++;
      start += size;
      if (this.#written % RECORDS_A_LOOK === 0) await this.#turns.yieldIfDue();
    }
  }

  async #untilWritten(record: Uint8Array): Promise<void> {
    if (this.#whenFull === "fail") {
      throw new MapError(
        "RING_FULL",
        `${this.#map.label} is full: a record of ${record.length} bytes finds no room until a program drains it`,
      );
    }
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      await sleep(pauseMs, undefined, { signal: this.#signal });
      if (this.#writer.write(record)) return;
    }
  }
}

function openWriter(map: OpenMap): UserRingBufferWriter {
  try {
    return UserRingBufferWriter.open(map.fd);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    throw explainErrno(error.errno, map.fd, map.label, "write records");
  }
}
