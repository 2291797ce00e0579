import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import type { CallOptions } from "./call-options.js";
import { type CpuViewOptions, cpuView } from "./cpu.js";
import { Deferred } from "./deferred.js";
import { endedFirst } from "./ended-first.js";
import { BpfmapError, protocolError } from "./errors.js";
import type {
  ElementFilterSchema,
  ElementOrderSchema,
  Elements,
  Format,
  Projection,
  TypingSchema,
} from "./gen/bpfmap/v1/element_pb.js";
import type { MapRef } from "./gen/bpfmap/v1/map_pb.js";
import type {
  DumpHeader,
  DumpMapRequestSchema,
  DumpMapResponse,
  DumpProgress,
  DumpSummary,
} from "./gen/bpfmap/v1/map_service_pb.js";
import { PairIterator } from "./pair-iterator.js";
import type { ResponseStream } from "./response-stream.js";

/** What to dump and how. */
export interface DumpOptions extends CallOptions, CpuViewOptions {
  /** Which elements to send; all where absent. Elements are chosen on the host. */
  filter?: MessageInitShape<typeof ElementFilterSchema>;
  /** Which columns to send; keys and values where absent. The others are empty. */
  projection?: Projection;
  /** The first elements of this order instead of all, once all have been read. */
  order?: MessageInitShape<typeof ElementOrderSchema>;
  /** How elements stand in chunks(): bytes, JSON or both; bytes where absent. */
  format?: Format;
  /** Types instead of the map's own, for JSON, conditions and orders. */
  typing?: MessageInitShape<typeof TypingSchema>;
  /** Size of a chunk to aim at, in bytes, up to 4 MiB; the daemon's choice where absent. */
  chunkBytes?: number;
  /** Stop after this many elements. The summary is then not complete if there are more. */
  maxElements?: number | bigint;
  /** Read at most about this many elements a second from the kernel. */
  maxElementsPerSecond?: number;
  /** How often to call onProgress, in milliseconds, from 100. Default 1000 with onProgress. */
  progressIntervalMs?: number;
  /** Told how far the dump is, while it is read. What it throws ends the dump. */
  onProgress?: (progress: DumpProgress) => void;
}

/**
 * The elements of a map, to be read once: either element by element (`for await`
 * over the dump itself) or, several times faster, chunk by chunk (`chunks()`).
 *
 * The call is made when the first element or the header is asked for. Leaving the
 * loop early cancels it. Keys and values are views of the chunk they came in: copy
 * (`slice()`) what is to be kept, or the whole chunk stays in memory.
 *
 * It is no snapshot in time; see MapService.DumpMap for what it promises.
 */
export class Dump implements AsyncIterable<[key: Uint8Array, value: Uint8Array]> {
  readonly #open: () => ResponseStream<DumpMapResponse>;
  readonly #onProgress: ((progress: DumpProgress) => void) | undefined;
  readonly #header = new Deferred<DumpHeader>();
  readonly #summary = new Deferred<DumpSummary>();
  #stream: ResponseStream<DumpMapResponse> | undefined;
  #taken = false;
  #left = false;

  /** Use MapHandle.dump(). @internal */
  constructor(open: () => ResponseStream<DumpMapResponse>, options: DumpOptions | undefined) {
    this.#open = open;
    this.#onProgress = options?.onProgress;
  }

  /**
   * The map as it was when the dump began. Asking for it starts the dump; it then
   * waits, open, for the elements to be read. Rejects with the dump's error.
   */
  get header(): Promise<DumpHeader> {
    if (!this.#left) this.#start();
    return this.#header.promise;
  }

  /**
   * How the dump went. Settles when all elements have been read; rejects with the
   * dump's error, or CANCELLED where the loop was left early.
   */
  get summary(): Promise<DumpSummary> {
    return this.#summary.promise;
  }

  /**
   * The elements in chunks of columns, as they came over the wire: nothing is
   * copied. Throws FAILED_PRECONDITION where the dump is being read already.
   */
  chunks(): AsyncIterableIterator<Elements, undefined> {
    if (this.#taken) {
      throw new BpfmapError("a dump can be read once only: make another one", {
        code: status.FAILED_PRECONDITION,
      });
    }
    this.#taken = true;
    return endedFirst(this.#read(), () => this.#leave());
  }

  /** The elements one by one. Throws FAILED_PRECONDITION where the dump is being read already. */
  [Symbol.asyncIterator](): AsyncIterableIterator<[key: Uint8Array, value: Uint8Array], undefined> {
    return new PairIterator(this.chunks());
  }

  #start(): ResponseStream<DumpMapResponse> {
    if (this.#stream !== undefined) return this.#stream;
    const stream = this.#open();
    this.#stream = stream;
    stream.next().then(
      ({ done, value }) => {
        if (done) this.#fail(cutShort());
        else if (value.kind.case === "header") this.#header.resolve(value.kind.value);
        else this.#fail(outOfPlace(value));
      },
      (error) => this.#fail(error),
    );
    return stream;
  }

  async *#read(): AsyncGenerator<Elements, undefined> {
    try {
      const stream = this.#start();
      const header = await this.#header.promise;
      for await (const message of stream) {
        const { kind } = message;
        switch (kind.case) {
          case "elements":
            checkColumns(kind.value, header);
            if (kind.value.count > 0) yield kind.value;
            break;
          case "progress":
            this.#onProgress?.(kind.value);
            break;
          case "summary":
            await expectEnd(stream);
            this.#summary.resolve(kind.value);
            return undefined;
          default:
            throw outOfPlace(message);
        }
      }
      throw cutShort();
    } catch (error) {
      if (this.#left) return undefined;
      this.#fail(error);
      throw error;
    }
  }

  #leave(): void {
    this.#left = true;
    this.#fail(new BpfmapError("the dump was left early", { code: status.CANCELLED }));
  }

  /** Ends the call; promises that have settled stay as they are. */
  #fail(error: unknown): void {
    this.#header.reject(error);
    this.#summary.reject(error);
    this.#stream?.return();
  }
}

/** The request of a dump. Throws INVALID_ARGUMENT for options that exclude each other. */
export function dumpRequest(
  map: MapRef,
  options: DumpOptions | undefined,
): MessageInitShape<typeof DumpMapRequestSchema> {
  const { onProgress, progressIntervalMs = onProgress && 1000 } = options ?? {};
  return {
    map,
    filter: options?.filter,
    projection: options?.projection,
    cpuView: cpuView(options),
    order: options?.order,
    format: options?.format,
    typing: options?.typing,
    chunkBytes: options?.chunkBytes,
    maxElements: options?.maxElements === undefined ? undefined : BigInt(options.maxElements),
    maxElementsPerSecond: options?.maxElementsPerSecond,
    progressInterval:
      progressIntervalMs === undefined ? undefined : durationFromMs(progressIntervalMs),
  };
}

/** Refuses columns that are not whole: an element must never get another's bytes. */
function checkColumns({ count, keys, values }: Elements, header: DumpHeader): void {
  const keySize = header.map?.keySize ?? 0;
  const whole = (length: number, size: number) => length === 0 || length === count * size;
  if (!whole(keys.length, keySize) || !whole(values.length, header.valueStride)) {
    throw protocolError(
      `the daemon sent ${keys.length} bytes of keys and ${values.length} of values for ` +
        `${count} elements of ${keySize} and ${header.valueStride} bytes`,
    );
  }
}

async function expectEnd(stream: ResponseStream<DumpMapResponse>): Promise<void> {
  const { done, value } = await stream.next();
  if (!done) throw outOfPlace(value);
}

function outOfPlace(message: DumpMapResponse): BpfmapError {
  return protocolError(`the daemon sent ${message.kind.case ?? "an empty message"} out of place`);
}

function cutShort(): BpfmapError {
  return protocolError("the dump ended without a summary: it was cut", status.DATA_LOSS);
}
