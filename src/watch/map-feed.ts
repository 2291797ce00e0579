import type { MapHost, OpenMap, ScanTarget, ThreadPool } from "../maps/index.js";
import { scanTarget } from "../maps/index.js";
import { AsyncQueue } from "./async-queue.js";
import { Bell } from "./bell.js";
import { asBuffer, type Changes, receivedChanges } from "./changes.js";
import { History } from "./history.js";
import { PollSchedule } from "./poll-schedule.js";
import type { WatchLimits } from "./watch-limits.js";
import type {
  Scan,
  SnapshotChunk,
  Source,
  WatchArgs,
  WatchCommand,
  WatchReport,
} from "./watch-protocol.js";

/** How soon a map is noticed to be gone, however seldom it is scanned. */
const LIFE_CHECK_MS = 1000;

/** The contents of a map as of a revision. */
export interface Snapshot {
  readonly revision: number;
  readonly scan: Scan;
  readonly chunks: readonly SnapshotChunk[];
}

interface Pending {
  readonly command: WatchCommand["type"];
  /** Open until the answer has come, for commands that look at the map. */
  readonly map: OpenMap | undefined;
}

/**
 * All that is learnt of one map, for all who watch it: one job that mirrors it, one
 * schedule of scans, one history. The map is opened for each look at it, so a feed sees
 * it go. It lives as long as it has a subscriber.
 */
export class MapFeed {
  readonly id: number;
  readonly schedule: PollSchedule;
  /** Rings with every revision, every scan, and the end. */
  readonly bell = new Bell();
  readonly #host: MapHost;
  readonly #target: ScanTarget;
  readonly #traceRingBytes: number;
  readonly #commands = new AsyncQueue<WatchCommand>();
  readonly #pending: Pending[] = [];
  readonly #history: History;
  readonly #stop = new AbortController();
  readonly #waiting: ((snapshot: Snapshot | undefined) => void)[] = [];
  #chunks: SnapshotChunk[] = [];
  #shared: WeakRef<Snapshot> | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #lifeTimer: NodeJS.Timeout;
  /** Whether something was written that the scan which runs may have passed. */
  #isStale = false;
  #lastScan: Scan | undefined;
  #source: Source = {
    kind: "poll",
    reason: "scans are enough for LATEST; ask for EVERY_CALL or BEST_AVAILABLE to trace",
  };
  #tracing: Promise<Source> | undefined;
  #onTracing: (source: Source) => void = () => {};
  #end: { readonly error?: unknown } | undefined;

  constructor(host: MapHost, threads: ThreadPool, map: OpenMap, limits: WatchLimits) {
    this.id = map.info.id;
    this.#host = host;
    this.#target = scanTarget(host, map);
    this.#traceRingBytes = limits.traceRingBytes;
    this.schedule = new PollSchedule(limits.cpuShare);
    this.#history = new History(limits.historyBytes, 0);
    this.#lifeTimer = setInterval(() => this.#open()?.close(), LIFE_CHECK_MS);
    void this.#run(threads);
  }

  /** The last scan; undefined before the first. */
  get lastScan(): Scan | undefined {
    return this.#lastScan;
  }

  /** The last revisions. */
  get history(): History {
    return this.#history;
  }

  /** Set once the feed has ended: the map is gone, or with the error that ended it. */
  get end(): { readonly error?: unknown } | undefined {
    return this.#end;
  }

  /** What changes are learnt from now. */
  get source(): Source {
    return this.#source;
  }

  /** Traces the map from now on, as well as this kernel allows it; answers what it got. */
  trace(): Promise<Source> {
    this.#tracing ??= new Promise((resolve) => {
      this.#onTracing = resolve;
      this.#ask({ type: "trace", mapId: this.id }, undefined);
    });
    return this.#tracing;
  }

  /** Tells of keys that the service has just written, or of any number of them. */
  wrote(keys: Uint8Array | undefined): void {
    // What is traced tells of the service's calls as of all others, and in their order.
    if (this.#source.kind === "poll") this.#touched(keys);
  }

  #touched(keys: Uint8Array | undefined): void {
    // The first scan will see them; there is nothing to compare with before it.
    if (this.#lastScan === undefined) return;
    if (keys) {
      const map = this.#open();
      if (map) this.#ask({ type: "look", fd: map.fd, keys }, map);
    } else {
      this.#scan();
    }
  }

  /**
   * The map's contents as of the latest revision; undefined where the feed has ended.
   * Subscribers of one revision share it.
   */
  async snapshot(): Promise<Snapshot | undefined> {
    const shared = this.#shared?.deref();
    if (shared && this.#history.after(shared.revision)) return shared;
    if (this.#end) return undefined;
    const promise = new Promise<Snapshot | undefined>((resolve) => this.#waiting.push(resolve));
    if (this.#waiting.length === 1) this.#ask({ type: "snapshot" }, undefined);
    return promise;
  }

  /** Notes that the schedule has changed, and scans when it is time. */
  reschedule(): void {
    clearTimeout(this.#timer);
    if (this.#end || this.#isScanning) return;
    const { delayMs } = this.schedule;
    if (delayMs < Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.#scan(), delayMs);
  }

  get #isScanning(): boolean {
    return this.#pending.some(({ command }) => command === "scan");
  }

  /** Ends the feed: nobody watches any more. */
  close(): void {
    this.#stopTimers();
    this.#commands.close();
    this.#stop.abort();
  }

  #stopTimers(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#lifeTimer);
  }

  /** Scans now; where a scan runs, another one follows it. */
  #scan(): void {
    clearTimeout(this.#timer);
    this.#isStale = this.#isScanning;
    if (this.#end || this.#isScanning) return;
    const map = this.#open();
    if (!map) return;
    this.schedule.started();
    this.#ask({ type: "scan", fd: map.fd }, map);
  }

  #open(): OpenMap | undefined {
    const map = this.#host.openById(this.id);
    if (!map) this.#finish({});
    return map;
  }

  #ask(command: WatchCommand, map: OpenMap | undefined): void {
    this.#pending.push({ command: command.type, map });
    this.#commands.push(command);
  }

  async #run(threads: ThreadPool): Promise<void> {
    const { dedupMemoryBytes } = this.#host.limits;
    const args: WatchArgs = {
      target: this.#target,
      dedupMemoryBytes,
      traceRingBytes: this.#traceRingBytes,
    };
    try {
      const reports = threads.run<WatchReport, void>(
        "watch",
        args,
        this.#stop.signal,
        this.#commands,
      );
      for await (const report of reports) this.#take(report);
    } catch (error) {
      this.#finish({ error });
    } finally {
      for (const { map } of this.#pending.splice(0)) map?.close();
    }
  }

  #take(report: WatchReport): void {
    switch (report.type) {
      case "chunk":
        this.#chunks.push(receivedChunk(report.chunk));
        return;
      case "traced":
        this.#learn(report.scan, receivedChanges(report.changes));
        break;
      case "touched":
        this.#touched(report.keys);
        return;
      case "lost":
        this.#history.lose(report.calls);
        this.#scan();
        break;
      default:
        this.#pending.shift()?.map?.close();
        this.#takeAnswer(report);
    }
    this.bell.ring();
  }

  #takeAnswer(report: WatchReport & { type: WatchAnswer }): void {
    switch (report.type) {
      case "snapshotDone":
        this.#shareSnapshot();
        break;
      case "tracing":
        this.#source = report.source;
        this.#onTracing(report.source);
        break;
      case "looked":
        this.#learn(report.scan, receivedChanges(report.changes));
        break;
      case "scanned":
        this.#learn(report.scan, receivedChanges(report.changes));
        this.#lastScan = report.scan;
        this.schedule.finished(report.scan.busyMs);
        if (this.#isStale) this.#scan();
        else this.reschedule();
    }
  }

  #learn(scan: Scan, changes: Changes): void {
    if (changes.puts.count + changes.deletes.count > 0) this.#history.append(changes, scan);
  }

  #shareSnapshot(): void {
    if (!this.#lastScan) throw new Error("a snapshot was taken before the first scan");
    const snapshot = {
      revision: this.#history.latest,
      scan: this.#lastScan,
      chunks: this.#chunks,
    };
    this.#chunks = [];
    this.#shared = new WeakRef(snapshot);
    for (const resolve of this.#waiting.splice(0)) resolve(snapshot);
  }

  #finish(end: { readonly error?: unknown }): void {
    this.#end ??= end;
    this.#stopTimers();
    this.#onTracing(this.#source);
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
    this.bell.ring();
  }
}

/** The reports that answer a command. */
type WatchAnswer = "scanned" | "looked" | "snapshotDone" | "tracing";

/** Buffers come from another thread as plain arrays. */
function receivedChunk(chunk: SnapshotChunk): SnapshotChunk {
  return { ...chunk, keys: asBuffer(chunk.keys), values: asBuffer(chunk.values) };
}
