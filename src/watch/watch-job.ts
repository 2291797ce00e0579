import { type JobContext, MAX_RESTARTS, openSource, stretchFor } from "../maps/index.js";
import { type ChangeLog, type Changes, changesBuffers, memoryOf } from "./changes.js";
import { ExactReader } from "./exact-reader.js";
import { GrowingColumn } from "./growing-column.js";
import { MapMirror } from "./map-mirror.js";
import type { Scan, WatchArgs, WatchCommand, WatchReport } from "./watch-protocol.js";

/** Payload of a snapshot's chunk to aim at, in bytes. */
const CHUNK_BYTES = 1 << 18;

/** Mirrors one map for as long as anybody watches it; lives in a watch thread. */
export async function watchJob(args: WatchArgs, context: JobContext): Promise<void> {
  const mirror = new MapMirror(args.target.layout, args.target.keyKind);
  for await (const command of context.inputs<WatchCommand>()) {
    if (command.type === "scan") await scan(args, command.fd, mirror, context);
    else if (command.type === "look") await look(args, command, mirror, context);
    else await snapshot(args, mirror, context);
  }
}

async function scan(
  args: WatchArgs,
  fd: number,
  mirror: MapMirror,
  context: JobContext,
): Promise<void> {
  const target = { ...args.target, fd };
  const clock = new ScanClock(mirror);
  const source = openSource(target, {
    stretch: stretchFor(target.layout),
    dedupMemoryBytes: args.dedupMemoryBytes,
    maxRestarts: MAX_RESTARTS,
  });
  const reader = new ExactReader(target);
  try {
    mirror.startWalk();
    while (clock.measure(() => source.next())) {
      clock.measure(() => mirror.meet(source));
      await context.turn();
    }
    const log = clock.measure(() => mirror.finishWalk(reader));
    const complete = source.stats.incomplete === undefined;
    await report(context, "scanned", clock.finish(complete), log);
  } finally {
    reader.release();
    source.release();
  }
}

async function look(
  args: WatchArgs,
  { fd, keys }: WatchCommand & { type: "look" },
  mirror: MapMirror,
  context: JobContext,
): Promise<void> {
  const clock = new ScanClock(mirror);
  const reader = new ExactReader({ ...args.target, fd });
  try {
    const column = Buffer.from(keys.buffer, keys.byteOffset, keys.length);
    const log = clock.measure(() => mirror.look(column, reader));
    await report(context, "looked", clock.finish(true), log);
  } finally {
    reader.release();
  }
}

async function report(
  context: JobContext,
  type: "scanned" | "looked",
  scan: Scan,
  log: ChangeLog,
): Promise<void> {
  const changes: Changes = log.take();
  const message: WatchReport = { type, scan, changes };
  await context.send(message, changesBuffers(changes));
}

/** Sends the mirror as it stands: nothing else is done meanwhile, so it is of one revision. */
async function snapshot(args: WatchArgs, mirror: MapMirror, context: JobContext): Promise<void> {
  const { keySize, valueStride } = args.target.layout;
  const chunks = new SnapshotChunks(keySize, valueStride);
  mirror.visit((...element) => chunks.add(...element));
  for (const chunk of chunks.take()) {
    const message: WatchReport = { type: "chunk", chunk };
    await context.send(message, [chunk.keys, chunk.values].map(memoryOf));
  }
  const done: WatchReport = { type: "snapshotDone" };
  await context.send(done, []);
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
      keys: keys.bytes,
      values: values.bytes,
    }));
  }
}

/** Tells when a look at a map was, and how long it kept the thread. */
class ScanClock {
  readonly #startedMs = Date.now();
  readonly #mirror: MapMirror;
  #busyMs = 0;

  constructor(mirror: MapMirror) {
    this.#mirror = mirror;
  }

  measure<T>(work: () => T): T {
    const started = performance.now();
    try {
      return work();
    } finally {
      this.#busyMs += performance.now() - started;
    }
  }

  finish(complete: boolean): Scan {
    return {
      startedMs: this.#startedMs,
      finishedMs: Date.now(),
      busyMs: this.#busyMs,
      complete,
      shadowBytes: this.#mirror.bytes,
    };
  }
}
