import type { EpollWaiter } from "../../kernel/index.js";
import type { JobContext, ScanTarget } from "../../maps/index.js";
import { changesBuffers, type Writer } from "../changes.js";
import type { MapMirror, TracedChange } from "../map-mirror.js";
import type { Source, TraceReport } from "../watch-protocol.js";
import { RecordKind, type TraceRecord, WriterCode } from "./trace-record.js";
import { TraceRefused } from "./trace-refused.js";
import { TraceSource } from "./trace-source.js";

/**
 * How long a call may take from its effect to its record: it runs without a pause between,
 * but for interrupts, and for what a host does to the CPUs of its guests.
 */
const LONGEST_RETURN_MS = 100;

/** Traces one map for its watch job: what is told goes into the mirror and to the job's port. */
export class MapTracer {
  readonly source: Source;
  readonly #trace: TraceSource;
  readonly #mirror: MapMirror;
  readonly #context: JobContext;
  #lastLookMs = Date.now();
  /** Calls that are told as lost. */
  #lostSoFar = 0;

  private constructor(trace: TraceSource, reason: string, mirror: MapMirror, context: JobContext) {
    this.source = { kind: trace.kind, reason };
    this.#trace = trace;
    this.#mirror = mirror;
    this.#context = context;
  }

  /** The best that this kernel allows; answers why, where it allows nothing. */
  static open(
    target: ScanTarget,
    mapId: number,
    ringBytes: number,
    mirror: MapMirror,
    context: JobContext,
    waiter: EpollWaiter,
  ): MapTracer | string {
    const refusals: string[] = [];
    for (const kind of ["trace", "syscall"] as const) {
      try {
        const trace = TraceSource.open(kind, target, mapId, ringBytes);
        const tracer = new MapTracer(trace, refusals.join("; "), mirror, context);
        trace.onNews(waiter, () => tracer.absorb());
        return tracer;
      } catch (error) {
        if (!(error instanceof TraceRefused)) throw error;
        refusals.push(error.message);
      }
    }
    return refusals.join("; ");
  }

  /** Takes over what the kernel has told so far, and reports it. */
  absorb(): void {
    for (;;) {
      const lookMs = Date.now();
      // Before the records: those that come with none of these losses were made before them.
      const { lost } = this.#trace;
      const { records, isAll } = this.#trace.take();
      this.#reportInOrder(records);
      if (!isAll) continue;
      // A call that came while these were taken waits for the next look.
      this.#lastLookMs = lookMs;
      this.#loseUpTo(lost);
      if (this.#trace.lost === lost) return;
    }
  }

  /** Reports what was not told because a program ran already. To be called now and then. */
  reconcile(): void {
    this.#lose(this.#trace.takeMisses());
  }

  close(): void {
    this.#trace.close();
  }

  /** Each loss is told where it was: after what came before it. */
  #reportInOrder(records: readonly TraceRecord[]): void {
    let from = 0;
    for (const [index, { lostBefore }] of records.entries()) {
      if (lostBefore <= this.#lostSoFar) continue;
      this.#report(records.slice(from, index));
      this.#loseUpTo(lostBefore);
      from = index;
    }
    this.#report(records.slice(from));
  }

  #loseUpTo(lost: number): void {
    this.#lose(lost - this.#lostSoFar);
    this.#lostSoFar = Math.max(lost, this.#lostSoFar);
  }

  #report(records: readonly TraceRecord[]): void {
    const changes: TracedChange[] = [];
    const touched: TraceRecord[] = [];
    let many = false;
    for (const record of records) {
      const isDelete = record.kind === RecordKind.DELETE;
      if (record.kind === RecordKind.MANY) many = true;
      else if (this.source.kind === "trace" && (record.value || isDelete)) {
        changes.push({ key: record.key, value: record.value, writer: writerOf(record) });
      } else touched.push(record);
    }
    if (changes.length > 0) this.#tell(changes, this.#seenAfter(records));
    if (touched.length > 0) {
      const keys = Buffer.concat(touched.map(({ key }) => key));
      this.#send({ type: "touched", keys, writers: touched.map(writerOf) });
    }
    if (many) this.#send({ type: "touched", keys: undefined });
  }

  #lose(calls: number): void {
    if (calls > 0) this.#send({ type: "lost", calls });
  }

  /**
   * A time before the effect of all these calls. A call that was stopped before its record
   * was finished comes late, and holds up those behind it.
   */
  #seenAfter(records: readonly TraceRecord[]): number {
    const nowNs = process.hrtime.bigint();
    const agesMs = records.map(({ monotonicNs }) => Number(nowNs - monotonicNs) / 1e6);
    const oldestMs = Date.now() - Math.max(...agesMs) - LONGEST_RETURN_MS;
    return Math.floor(Math.min(this.#lastLookMs, oldestMs));
  }

  #tell(traced: readonly TracedChange[], startedMs: number): void {
    // The clock tells whole milliseconds.
    const finishedMs = Date.now() + 1;
    const { bytes: shadowBytes } = this.#mirror;
    const scan = { startedMs, finishedMs, busyMs: 0, complete: true, shadowBytes };
    for (const log of this.#mirror.trace(traced)) {
      const changes = log.take();
      this.#send({ type: "traced", scan, changes }, changesBuffers(changes));
    }
  }

  #send(report: TraceReport, transfer: ArrayBuffer[] = []): void {
    // Where it fails the job is cancelled, which the job itself hears of.
    this.#context.send(report, transfer).catch(() => {});
  }
}

function writerOf({ pid, comm, writer, monotonicNs }: TraceRecord): Writer {
  return { pid, comm, kind: writer === WriterCode.SYSCALL ? "syscall" : "program", monotonicNs };
}
