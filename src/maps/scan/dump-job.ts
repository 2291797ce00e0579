import { JobCancelled, type JobContext } from "../threads/job-context.js";
import { compileOrder, type ElementOrder } from "../typing/field-condition.js";
import type { ElementShapes } from "../typing/field-path.js";
import type { FieldReader } from "../typing/field-reader.js";
import type { Chunk } from "./chunk.js";
import { ChunkBuilder, type ChunkOptions, type ElementColumns } from "./chunk-builder.js";
import { type Chooser, compileFilter, type ElementFilter } from "./element-filter.js";
import { type ElementSource, type Incomplete, MAX_RESTARTS, openSource } from "./element-source.js";
import { Pace } from "./pace.js";
import type { ScanTarget } from "./scan-target.js";
import { stretchFor } from "./stretch.js";
import { StretchMemory } from "./stretch-memory.js";
import { TopElements } from "./top-elements.js";

/** What a dump reads and sends. Plain data. */
export interface DumpArgs extends ChunkOptions {
  readonly target: ScanTarget;
  readonly filter?: ElementFilter | undefined;
  /** What elements are made of; needed for conditions on fields, an order, and texts. */
  readonly shapes?: ElementShapes | undefined;
  /** Send the first elements of this order, once all have been read. */
  readonly order?: ElementOrder | undefined;
  /** Most elements to send; 0 for all. */
  readonly maxElements: number;
  /** Most elements to read in a second; 0 for no limit. */
  readonly maxElementsPerSecond: number;
  /** How often to tell progress, in milliseconds; 0 for never. */
  readonly progressIntervalMs: number;
  readonly dedupMemoryBytes: number;
  /** Most memory for the elements of an order. */
  readonly orderMemoryBytes: number;
}

/** What a dump sends. */
export type DumpOutput =
  | { readonly kind: "chunk"; readonly chunk: Chunk }
  | { readonly kind: "progress"; readonly scanned: number; readonly sent: number };

/** How a dump went; the contract's `DumpSummary`. */
export interface DumpSummary {
  readonly sent: number;
  readonly scanned: number;
  readonly complete: boolean;
  readonly incompleteReason?: Incomplete | "max_elements" | undefined;
  readonly restarts: number;
  readonly duplicatesDropped: number;
  /** Milliseconds since the epoch, by the host's clock. */
  readonly startTimeMs: number;
  readonly endTimeMs: number;
}

/** Bytes that a batch call may read even where chunks are smaller. */
const MIN_STRETCH_BYTES = 1 << 20;

/** Sends a map's elements in chunks, at the pace of the consumer. */
export async function dumpJob(args: DumpArgs, context: JobContext): Promise<DumpSummary> {
  const builder = new ChunkBuilder(args.target.layout, args);
  const pace = new Pace(args.maxElementsPerSecond);
  const most = Math.min(builder.capacity, pace.stretch);
  const stretch = stretchFor(
    args.target.layout,
    most,
    Math.max(args.chunkBytes, MIN_STRETCH_BYTES),
  );
  const memory = stretchMemory(args, builder, stretch);
  if (memory) void takeBack(memory, context);
  const source = openSource(args.target, {
    stretch,
    memory,
    dedupMemoryBytes: args.dedupMemoryBytes,
    maxRestarts: MAX_RESTARTS,
  });
  try {
    return await new Dump(args, context, source, builder, memory).run(pace);
  } finally {
    source.release();
  }
}

/** Memory for stretches that go as they are; absent where elements are chosen or made anew. */
function stretchMemory(
  { target, room, projection, filter, order }: DumpArgs,
  builder: ChunkBuilder,
  stretch: number,
): StretchMemory | undefined {
  const goesWhole = builder.takesWhole && projection === "keys_and_values" && !filter && !order;
  return goesWhole ? new StretchMemory(target.layout, stretch, room) : undefined;
}

/** Memory comes back as the job's input, until the job ends. */
async function takeBack(memory: StretchMemory, context: JobContext): Promise<void> {
  try {
    for await (const spent of context.inputs<ArrayBuffer>()) memory.giveBack(spent);
  } catch (error) {
    if (!(error instanceof JobCancelled)) throw error;
  }
}

/** What an order is read by, and the elements that are first in it. */
interface Order {
  readonly rank: FieldReader;
  readonly top: TopElements;
}

function orderOf({
  order,
  shapes,
  target,
  maxElements,
  orderMemoryBytes,
}: DumpArgs): Order | undefined {
  if (!order || !shapes) return undefined;
  const limit = Math.min(order.limit, maxElements || Number.POSITIVE_INFINITY);
  return {
    rank: compileOrder(order, shapes, target.layout, "order"),
    top: new TopElements(target.layout, { ...order, limit }, orderMemoryBytes),
  };
}

class Dump {
  readonly #args: DumpArgs;
  readonly #context: JobContext;
  readonly #source: ElementSource;
  readonly #builder: ChunkBuilder;
  readonly #memory: StretchMemory | undefined;
  readonly #isChosen: Chooser | undefined;
  readonly #order: Order | undefined;
  readonly #startTimeMs = Date.now();
  #scanned = 0;
  #sent = 0;
  #isCut = false;
  #progressDue: number;

  constructor(
    args: DumpArgs,
    context: JobContext,
    source: ElementSource,
    builder: ChunkBuilder,
    memory: StretchMemory | undefined,
  ) {
    this.#args = args;
    this.#memory = memory;
    this.#context = context;
    this.#source = source;
    this.#builder = builder;
    const { layout, keyKind } = args.target;
    this.#isChosen = compileFilter(args.filter, layout, keyKind, args.shapes);
    this.#order = orderOf(args);
    this.#progressDue = performance.now() + args.progressIntervalMs;
  }

  async run(pace: Pace): Promise<DumpSummary> {
    while (!this.#isCut && this.#source.next()) {
      this.#scanned += this.#source.count;
      if (this.#order) this.#considerStretch(this.#order);
      else await this.#sendStretch();
      await this.#tellProgress();
      do await this.#context.turn();
      while (await pace.wait(this.#scanned));
    }
    if (this.#order) await this.#sendOrdered(this.#order.top.ordered());
    await this.#send(this.#builder.take(true));
    return this.#summary();
  }

  #considerStretch({ rank, top }: Order): void {
    const { keySize, valueStride } = this.#args.target.layout;
    const { keys, values, count } = this.#source;
    for (let index = 0; index < count; index++) {
      const [keyAt, valueAt] = [index * keySize, index * valueStride];
      if (this.#isChosen && !this.#isChosen(keys, keyAt, values, valueAt)) continue;
      top.offer(rank(keys, keyAt, values, valueAt), keys, keyAt, values, valueAt);
    }
  }

  async #sendOrdered(columns: ElementColumns): Promise<void> {
    for (let index = 0; index < columns.count; ) {
      const { next, added } = this.#builder.add(columns, index, columns.count, undefined);
      index = next;
      this.#sent += added;
      await this.#send(this.#builder.take(false));
    }
  }

  /** Elements that may still be sent. */
  get #left(): number {
    return (this.#args.maxElements || Number.POSITIVE_INFINITY) - this.#sent;
  }

  async #sendStretch(): Promise<void> {
    const { count } = this.#source;
    // A stretch that is worth a message of its own goes as it is.
    const isWhole =
      !this.#isChosen && this.#builder.takesWhole && count * 4 >= this.#builder.capacity;
    // More than a chunk should have comes from a bucket that was larger than a stretch.
    if (isWhole && count <= Math.min(this.#left, this.#builder.capacity)) {
      await this.#send(this.#builder.take(true));
      this.#sent += count;
      await this.#send(this.#wholeStretch(count));
      return;
    }
    for (let index = 0; index < count; ) {
      if (this.#left === 0) {
        this.#isCut = this.#hasChosenFrom(index);
        return;
      }
      const { next, added } = this.#builder.add(this.#source, index, this.#left, this.#isChosen);
      index = next;
      this.#sent += added;
      await this.#send(this.#builder.take(false));
    }
  }

  #wholeStretch(count: number): Chunk {
    if (this.#memory?.holds(this.#source.values)) return this.#memory.seal(count);
    return this.#builder.whole(this.#source, count);
  }

  /** Whether the stretch has a chosen element from `index` on: one more than may be sent. */
  #hasChosenFrom(index: number): boolean {
    const { keySize, valueStride } = this.#args.target.layout;
    const { keys, values, count } = this.#source;
    for (let at = index; at < count; at++) {
      if (this.#isChosen?.(keys, at * keySize, values, at * valueStride) ?? true) return true;
    }
    return false;
  }

  async #send(chunk: Chunk | undefined): Promise<void> {
    if (!chunk) return;
    const output: DumpOutput = { kind: "chunk", chunk };
    await this.#context.send(output, [chunk.buffer.buffer as ArrayBuffer]);
  }

  async #tellProgress(): Promise<void> {
    const { progressIntervalMs } = this.#args;
    if (progressIntervalMs === 0 || performance.now() < this.#progressDue) return;
    this.#progressDue = performance.now() + progressIntervalMs;
    const output: DumpOutput = { kind: "progress", scanned: this.#scanned, sent: this.#sent };
    await this.#context.send(output, []);
  }

  #summary(): DumpSummary {
    const { restarts, duplicatesDropped, incomplete } = this.#source.stats;
    const incompleteReason = this.#isCut ? "max_elements" : incomplete;
    return {
      sent: this.#sent,
      scanned: this.#scanned,
      complete: incompleteReason === undefined,
      incompleteReason,
      restarts,
      duplicatesDropped,
      startTimeMs: this.#startTimeMs,
      endTimeMs: Date.now(),
    };
  }
}
