import { EpollWaiter, KernelError } from "../kernel/index.js";
import type { JobContext } from "../maps/index.js";
import { BatchBuilder } from "./batch-builder.js";
import { explainErrno } from "./explain-errno.js";
import { PerfSource } from "./perf-source.js";
import { buffersOf } from "./record-batch.js";
import type { MarkCommand, RecordArgs, RecordReport } from "./record-protocol.js";
import type { RecordSource } from "./record-source.js";
import { RingSource } from "./ring-source.js";

/**
 * How soon to look again where a record is reserved and not written yet: the kernel says
 * that there is something to read, but there is not.
 */
const UNFINISHED_MS = 1;

/** Reads the records of one map for as long as anybody wants them; lives in a thread. */
export async function recordJob(args: RecordArgs, context: JobContext): Promise<void> {
  try {
    const waiter = EpollWaiter.open();
    try {
      await readWith(waiter, args, context);
    } finally {
      waiter.close();
    }
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    throw explainErrno(error.errno, args.fd, args.label, "read records");
  }
}

async function readWith(waiter: EpollWaiter, args: RecordArgs, context: JobContext): Promise<void> {
  const source = openSource(args);
  const job = new RecordJob(args, source, context);
  try {
    await job.run(waiter);
  } finally {
    job.close();
    source.close();
  }
}

function openSource({ fd, label, origin, skipBuffered }: RecordArgs): RecordSource {
  if (origin.kind === "perf") return PerfSource.open(fd, origin);
  const ring = RingSource.open(fd, label);
  if (skipBuffered) ring.skip();
  return ring;
}

class RecordJob {
  readonly #source: RecordSource;
  readonly #builder: BatchBuilder;
  readonly #context: JobContext;
  #lookTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #isReading = false;
  #isClosed = false;
  #fail: (error: unknown) => void = () => {};

  constructor(args: RecordArgs, source: RecordSource, context: JobContext) {
    this.#source = source;
    this.#context = context;
    this.#builder = new BatchBuilder(args.room, args.maxRecordBytes, args.origin.kind === "perf");
  }

  /** Runs until the job is cancelled. */
  async run(waiter: EpollWaiter): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    await this.#send([{ type: "opened" }]);
    this.#source.watch(waiter, () => this.#readSoon());
    this.#lookTimer = setInterval(() => this.#look(), this.#source.lookMs);
    await Promise.race([this.#obey(), failed]);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#lookTimer);
    clearTimeout(this.#retryTimer);
  }

  async #obey(): Promise<void> {
    for await (const { type } of this.#context.inputs<MarkCommand>()) {
      // It goes before the mark: messages keep their order.
      this.#source.takeAll(this.#builder);
      const reports = this.#builder.take();
      if (type === "mark") reports.push({ type: "marked" });
      await this.#send(reports);
    }
  }

  #look(): void {
    if (this.#isReading) return;
    this.#source.look(this.#builder);
    this.#readSoon();
  }

  #readSoon(): void {
    this.#read().catch((error: unknown) => this.#fail(error));
  }

  /** Sends what waits, at the pace at which the main thread takes it; then waits for more. */
  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    do {
      this.#source.take(this.#builder);
      await this.#send(this.#builder.take());
    } while (!this.#isClosed && !this.#source.isEmpty);
    this.#isReading = false;
    if (this.#isClosed || this.#source.rearm()) return;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#readSoon(), UNFINISHED_MS);
  }

  /** All are queued at once, so that nothing else comes between them. */
  async #send(reports: readonly RecordReport[]): Promise<void> {
    await Promise.all(
      reports.map((report) =>
        this.#context.send(report, report.type === "batch" ? buffersOf(report.batch) : []),
      ),
    );
  }
}
