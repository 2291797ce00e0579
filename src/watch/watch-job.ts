import { EpollWaiter, threadCpuMs } from "../kernel/index.js";
import type { JobContext, ScanTarget } from "../maps/index.js";
import { asBuffer, type ChangeLog, type Changes, changesBuffers, memoryOf } from "./changes.js";
import { CommandReader } from "./command-reader.js";
import { ExactReader } from "./exact-reader.js";
import { GrowingColumn } from "./growing-column.js";
import { MapMirror } from "./map-mirror.js";
import { MapWalks } from "./map-walk.js";
import { MapTracer } from "./trace/map-tracer.js";
import type { Scan, Source, WatchArgs, WatchCommand, WatchReport } from "./watch-protocol.js";

/** Payload of a snapshot's chunk to aim at, in bytes. */
const CHUNK_BYTES = 1 << 18;

/** Mirrors one map for as long as anybody watches it; lives in a watch thread. */
export async function watchJob(args: WatchArgs, context: JobContext): Promise<void> {
  const job = new WatchJob(args, context);
  try {
    await job.run();
  } finally {
    job.close();
  }
}

class WatchJob {
  readonly #args: WatchArgs;
  readonly #context: JobContext;
  readonly #commands: CommandReader;
  readonly #mirror: MapMirror;
  readonly #walks: MapWalks;
  #tracer: MapTracer | undefined;
  #waiter: EpollWaiter | undefined;

  constructor(args: WatchArgs, context: JobContext) {
    this.#args = args;
    this.#context = context;
    this.#commands = new CommandReader(context.inputs<WatchCommand>());
    this.#mirror = new MapMirror(args.target.layout, args.target.keyKind);
    this.#walks = new MapWalks(args.dedupMemoryBytes);
  }

  async run(): Promise<void> {
    for (;;) {
      const command = await this.#commands.next();
      if (!command) return;
      await this.#obey(command);
    }
  }

  #obey(command: WatchCommand): Promise<void> {
    switch (command.type) {
      case "scan":
        return this.#scan(command.fd);
      case "look":
        return this.#look(command);
      case "snapshot":
        return this.#snapshot();
      case "trace":
        return this.#trace(command.mapId);
    }
  }

  close(): void {
    this.#tracer?.close();
    this.#waiter?.close();
    this.#mirror.release();
  }

  async #scan(fd: number): Promise<void> {
    const target = { ...this.#args.target, fd };
    const clock = new ScanClock(this.#mirror);
    const reader = new ExactReader(target);
    try {
      const { log, isComplete } = await this.#walk(target, reader, clock);
      await this.#report("scanned", clock.finish(isComplete), log);
    } finally {
      reader.release();
    }
  }

  /** Walks over the map; looks that are asked for meanwhile do not wait for its end. */
  async #walk(target: ScanTarget, reader: ExactReader, clock: ScanClock) {
    const mirror = this.#mirror;
    const walk = clock.measure(() => this.#walks.start(target));
    try {
      // What was traced before the walk is older than what the walk meets.
      this.#tracer?.absorb();
      mirror.startWalk();
      while (clock.measure(() => walk.step(mirror))) {
        await this.#context.turn();
        await this.#lookMeanwhile();
      }
      // Traced calls that the walk has seen the effect of must not be told after it.
      this.#tracer?.absorb();
      this.#tracer?.reconcile();
      const log = clock.measure(() => mirror.finishWalk(reader));
      return { log, isComplete: walk.isComplete };
    } finally {
      clock.measure(() => walk.release());
    }
  }

  async #lookMeanwhile(): Promise<void> {
    for (let look = this.#commands.takeLook(); look; look = this.#commands.takeLook()) {
      await this.#look(look);
    }
  }

  async #look({ fd, keys, writers }: WatchCommand & { type: "look" }): Promise<void> {
    const clock = new ScanClock(this.#mirror);
    const reader = new ExactReader({ ...this.#args.target, fd });
    try {
      const deletesAreTraced = this.#tracer?.source.kind === "trace";
      const log = clock.measure(() =>
        this.#mirror.look(asBuffer(keys), reader, writers, deletesAreTraced),
      );
      await this.#report("looked", clock.finish(true), log);
    } finally {
      reader.release();
    }
  }

  async #trace(mapId: number): Promise<void> {
    const { target, traceRingBytes } = this.#args;
    this.#waiter = EpollWaiter.open();
    const tracer = MapTracer.open(
      target,
      mapId,
      traceRingBytes,
      this.#mirror,
      this.#context,
      this.#waiter,
    );
    if (typeof tracer !== "string") this.#tracer = tracer;
    const source: Source =
      typeof tracer === "string" ? { kind: "poll", reason: tracer } : tracer.source;
    await this.#send({ type: "tracing", source }, []);
  }

  /** Sends the mirror as it stands: all is queued at once, so it is of one revision. */
  async #snapshot(): Promise<void> {
    const { keySize, valueStride } = this.#args.target.layout;
    const chunks = new SnapshotChunks(keySize, valueStride);
    this.#mirror.visit((...element) => chunks.add(...element));
    const sending = chunks
      .take()
      .map((chunk) =>
        this.#send({ type: "chunk", chunk }, [chunk.keys, chunk.values].map(memoryOf)),
      );
    await Promise.all([...sending, this.#send({ type: "snapshotDone" }, [])]);
  }

  async #report(type: "scanned" | "looked", scan: Scan, log: ChangeLog): Promise<void> {
    const changes: Changes = log.take();
    await this.#send({ type, scan, changes }, changesBuffers(changes));
  }

  #send(report: WatchReport, transfer: ArrayBuffer[]): Promise<void> {
    return this.#context.send(report, transfer);
  }
}

class SnapshotChunks {
  readonly #keySize: number;
  readonly #stride: number;
  readonly #perChunk: number;
  readonly #full: { count: number; keys: GrowingColumn; values: GrowingColumn }[] = [];

  constructor(keySize: number, stride: number) {
    this.#keySize = keySize;
    this.#stride = stride;
    this.#perChunk = Math.max(1, Math.floor(CHUNK_BYTES / (keySize + stride)));
  }

  add(keys: Buffer, keyAt: number, values: Buffer, valueAt: number): void {
    let chunk = this.#full.at(-1);
    if (!chunk || chunk.count === this.#perChunk) {
      chunk = { count: 0, keys: new GrowingColumn(), values: new GrowingColumn() };
      this.#full.push(chunk);
    }
    chunk.count++;
    chunk.keys.append(keys, keyAt, this.#keySize);
    chunk.values.append(values, valueAt, this.#stride);
  }

  take() {
    return this.#full.map(({ count, keys, values }) => ({
      count,
      keys: keys.take(),
      values: values.take(),
    }));
  }
}

/** Tells when a look at a map was, and what CPU time it took. */
class ScanClock {
  readonly #startedMs = Date.now();
  readonly #mirror: MapMirror;
  #busyMs = 0;

  constructor(mirror: MapMirror) {
    this.#mirror = mirror;
  }

  measure<T>(work: () => T): T {
    const before = threadCpuMs();
    try {
      return work();
    } finally {
      this.#busyMs += threadCpuMs() - before;
    }
  }

  finish(complete: boolean): Scan {
    return {
      startedMs: this.#startedMs,
      // The clock tells whole milliseconds: what was just seen was seen before the next.
      finishedMs: Date.now() + 1,
      busyMs: this.#busyMs,
      complete,
      shadowBytes: this.#mirror.bytes,
    };
  }
}
