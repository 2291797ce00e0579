import type { MessageInitShape } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import type { CallOptions } from "./call-options.js";
import { Deferred } from "./deferred.js";
import { endedFirst } from "./ended-first.js";
import { BpfmapError, protocolError } from "./errors.js";
import type { MapRef } from "./gen/bpfmap/v1/map_pb.js";
import {
  type LossReason,
  type ReadRecordsRequestSchema,
  type ReadRecordsResponse,
  RecordStart,
  type Records,
  type RecordsLost,
  type RecordsStarted,
} from "./gen/bpfmap/v1/record_pb.js";
import { RecordIterator } from "./record-iterator.js";
import type { ResponseStream } from "./response-stream.js";

/** How to read records. */
export interface RecordsOptions extends Omit<CallOptions, "deadlineMs"> {
  /**
   * To be said: what the daemon reads is taken from any other consumer of the ring, and
   * a perf event array's entries are replaced while it is read.
   */
  exclusive: true;
  /** Begin with what is written from now on; without it what the ring holds comes first. */
  fromNow?: boolean;
  /**
   * Bytes that the daemon keeps while this client reads too slowly, 64 KiB to 256 MiB; the
   * daemon's default where absent.
   */
  queueBytes?: number;
  /** For perf event arrays: pages of each CPU's ring, a power of 2 up to 4096. */
  pagesPerCpu?: number;
  /** For perf event arrays: the one slot to read; absent for those of all CPUs. */
  slot?: { cpu: number; index: number };
}

/** A record. */
export interface RecordEvent {
  readonly type: "record";
  /** Counts the records that the daemon took from the ring since it began to read. */
  readonly sequence: bigint;
  /** A view of the message that it came in: copy (`slice()`) what is to be kept. */
  readonly data: Uint8Array;
  /** Of perf event arrays: the CPU that wrote it. */
  readonly cpu: number | undefined;
  /** Of perf event arrays: when it was written, in nanoseconds of CLOCK_MONOTONIC. */
  readonly timeNs: bigint | undefined;
}

/** Records that are missing at this place. */
export interface LostEvent {
  readonly type: "lost";
  /** Why they are missing. */
  readonly reason: LossReason;
  /** How many are missing. */
  readonly count: bigint;
  /** For RING_FULL: the CPU whose ring was full. */
  readonly cpu: number | undefined;
}

/** Records as they came over the wire. */
export interface RecordBatch {
  readonly type: "records";
  /** As the daemon packed them. */
  readonly records: Records;
}

/**
 * The records of a ring buffer or a perf event array, to be read once: either record by
 * record (`for await` over the stream itself) or, several times faster, batch by batch
 * (`batches()`).
 *
 * The call is made when the first record or `started` is asked for. It has no end of its
 * own: leaving the loop cancels it. Where the client reads slower than records come, the
 * daemon keeps `queueBytes` of them, and a `lost` stands where more are missing.
 */
export class RecordStream implements AsyncIterable<RecordEvent | LostEvent> {
  readonly #open: () => ResponseStream<ReadRecordsResponse>;
  readonly #started = new Deferred<RecordsStarted>();
  #stream: ResponseStream<ReadRecordsResponse> | undefined;
  #taken = false;
  #left = false;

  /** Use MapHandle.records(). @internal */
  constructor(open: () => ResponseStream<ReadRecordsResponse>) {
    this.#open = open;
  }

  /**
   * Settles when the daemon reads the ring: from then on nothing is missed without being
   * told. Asking for it begins the stream. Rejects with the stream's error.
   */
  get started(): Promise<RecordsStarted> {
    if (!this.#left) this.#start();
    return this.#started.promise;
  }

  /** The records in batches. Throws FAILED_PRECONDITION where the stream is being read already. */
  batches(): AsyncIterableIterator<RecordBatch | LostEvent, undefined> {
    if (this.#taken) {
      throw new BpfmapError("a stream of records can be read once only: make another one", {
        code: status.FAILED_PRECONDITION,
      });
    }
    this.#taken = true;
    return endedFirst(this.#read(), () => this.#leave());
  }

  /** The records one by one. Throws FAILED_PRECONDITION where the stream is being read already. */
  [Symbol.asyncIterator](): AsyncIterableIterator<RecordEvent | LostEvent, undefined> {
    return new RecordIterator(this.batches());
  }

  #start(): ResponseStream<ReadRecordsResponse> {
    if (this.#stream !== undefined) return this.#stream;
    const stream = this.#open();
    this.#stream = stream;
    stream.next().then(
      ({ done, value }) => {
        if (done) this.#fail(protocolError("the stream of records ended before it started"));
        else if (value.kind.case === "started") this.#started.resolve(value.kind.value);
        else this.#fail(outOfPlace(value));
      },
      (error) => this.#fail(error),
    );
    return stream;
  }

  async *#read(): AsyncGenerator<RecordBatch | LostEvent, undefined> {
    try {
      const stream = this.#start();
      await this.#started.promise;
      for await (const message of stream) yield eventOf(message);
      return undefined;
    } catch (error) {
      if (this.#left) return undefined;
      this.#fail(error);
      throw error;
    }
  }

  #leave(): void {
    this.#left = true;
    this.#fail(new BpfmapError("the records were left", { code: status.CANCELLED }));
  }

  #fail(error: unknown): void {
    this.#started.reject(error);
    this.#stream?.return();
  }
}

/** The request of a stream of records. */
export function recordsRequest(
  map: MapRef,
  options: RecordsOptions,
): MessageInitShape<typeof ReadRecordsRequestSchema> {
  const { exclusive, fromNow, queueBytes = 0, pagesPerCpu, slot } = options;
  return {
    map,
    exclusive,
    start: fromNow ? RecordStart.NOW : RecordStart.BUFFERED,
    queueBytes: BigInt(queueBytes),
    pagesPerCpu,
    slot,
  };
}

function eventOf(message: ReadRecordsResponse): RecordBatch | LostEvent {
  const { kind } = message;
  switch (kind.case) {
    case "records":
      checkBatch(kind.value);
      return { type: "records", records: kind.value };
    case "lost":
      return lostEvent(kind.value);
    default:
      throw outOfPlace(message);
  }
}

function lostEvent({ reason, count, cpu }: RecordsLost): LostEvent {
  return { type: "lost", reason, count, cpu };
}

/** Refuses columns that are not whole: a record must never get another's bytes. */
function checkBatch({ sizes, data, cpus, timesNs }: Records): void {
  let total = 0;
  for (const size of sizes) total += size;
  const whole = (column: readonly unknown[]) =>
    column.length === 0 || column.length === sizes.length;
  if (total === data.length && whole(cpus) && whole(timesNs)) return;
  throw protocolError(
    `the daemon sent ${sizes.length} records of ${total} bytes with ${data.length} bytes of ` +
      `data, ${cpus.length} CPUs and ${timesNs.length} times`,
  );
}

function outOfPlace({ kind }: ReadRecordsResponse): BpfmapError {
  return protocolError(`the daemon sent ${kind.case ?? "an empty message"} out of place`);
}
