import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CallOptions } from "./call-options.js";
import type { MapRef } from "./gen/bpfmap/v1/map_pb.js";
import { FullRing, type WriteRecordsRequestSchema } from "./gen/bpfmap/v1/record_pb.js";
import { checkChunkBytes } from "./load.js";

/** How to write records. */
export interface WriteRecordsOptions extends CallOptions {
  /** Where the ring has no room, fail with RING_FULL instead of waiting for the program. */
  failWhenFull?: boolean;
  /**
   * Bytes of records to send in one message; at least one record each. Default 64 KiB. A
   * source that takes its time has what it yielded sent before.
   */
  chunkBytes?: number;
}

/** Records to write, in any number. */
export type RecordSource = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

type WriteRequest = MessageInitShape<typeof WriteRecordsRequestSchema>;

const DEFAULT_CHUNK_BYTES = 64 * 1024;
/** Records in one message, so that many empty ones make no endless message. */
const MOST_RECORDS = 16 * 1024;

/** The requests of a write: the start, then the records in chunks. */
export async function* writeRequests(
  map: MapRef,
  records: RecordSource,
  options: WriteRecordsOptions | undefined,
): AsyncGenerator<WriteRequest, void> {
  const whenFull = options?.failWhenFull ? FullRing.FAIL : FullRing.WAIT;
  yield { kind: { case: "start", value: { map, whenFull } } };
  const chunk = new Chunk(checkChunkBytes(options?.chunkBytes ?? DEFAULT_CHUNK_BYTES));
  if (Symbol.iterator in records) {
    for (const record of records) {
      if (chunk.add(record)) yield chunk.take();
    }
  } else yield* liveRequests(records[Symbol.asyncIterator](), chunk);
  if (!chunk.isEmpty) yield chunk.take();
}

/** Sends what is there where the source takes its time, so that no record waits for others. */
async function* liveRequests(
  source: AsyncIterator<Uint8Array>,
  chunk: Chunk,
): AsyncGenerator<WriteRequest, void> {
  try {
    for (;;) {
      const next = source.next();
      if (!chunk.isEmpty && !(await settlesSoon(next))) yield chunk.take();
      const { done, value } = await next;
      if (done) return;
      if (chunk.add(value)) yield chunk.take();
    }
  } finally {
    await source.return?.();
  }
}

/** Whether the promise settles within a turn of the event loop. */
function settlesSoon(promise: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    setImmediate(resolve, false);
    const settled = () => resolve(true);
    promise.then(settled, settled);
  });
}

class Chunk {
  readonly #mostBytes: number;
  #records: Uint8Array[] = [];
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  get isEmpty(): boolean {
    return this.#records.length === 0;
  }

  /** Adds a copy of a record; true where the chunk is full. */
  add(record: Uint8Array): boolean {
    this.#records.push(record.slice());
    this.#bytes += record.length;
    return this.#bytes >= this.#mostBytes || this.#records.length >= MOST_RECORDS;
  }

  take(): WriteRequest {
    const sizes = this.#records.map(({ length }) => length);
    const data = new Uint8Array(this.#bytes);
    let at = 0;
    for (const record of this.#records) {
      data.set(record, at);
      at += record.length;
    }
    this.#records = [];
    this.#bytes = 0;
    return { kind: { case: "records", value: { sizes, data } } };
  }
}
