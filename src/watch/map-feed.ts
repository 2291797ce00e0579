import type { MapHost, OpenMap, ScanTarget, ThreadPool } from "../maps/index.js";
import { scanTarget } from "../maps/index.js";
import { AsyncQueue } from "./async-queue.js";
import { Bell } from "./bell.js";
import { asBuffer, type Changes, receivedChanges } from "./changes.js";
import { History } from "./history.js";
import { PollSchedule } from "./poll-schedule.js";
import type { WatchLimits } from "./watch-limits.js";
import type { Scan, SnapshotChunk, WatchCommand, WatchReport } from "./watch-protocol.js";

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
  readonly #commands = new AsyncQueue<WatchCommand>();
  readonly #pending: Pending[] = [];
  readonly #history: History;
  readonly #stop = new AbortController();
  readonly #waiting: ((snapshot: Snapshot) => void)[] = [];
  #chunks: SnapshotChunk[] = [];
  #shared: WeakRef<Snapshot> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastScan: Scan | undefined;
  #end: { readonly error?: unknown } | undefined;

  constructor(host: MapHost, threads: ThreadPool, map: OpenMap, limits: WatchLimits) {
    this.id = map.info.id;
    this.#host = host;
    this.#target = scanTarget(host, map);
    this.schedule = new PollSchedule(limits.cpuShare);
    this.#history = new History(limits.historyBytes, 0);
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

  /** Scans as soon as may be, for what is written many elements at a time. */
  hurry(): void {
    this.#scan();
  }

  /** Looks at keys that the service has just written. */
  look(keys: Uint8Array): void {
    // The first scan will see them; there is nothing to compare with before it.
    if (this.#lastScan === undefined) return;
    const map = this.#open();
    if (map) this.#ask({ type: "look", fd: map.fd, keys }, map);
  }

  /** The map's contents as of the latest revision. Subscribers of one revision share it. */
  snapshot(): Promise<Snapshot> {
    const shared = this.#shared?.deref();
    if (shared && this.#history.after(shared.revision)) return Promise.resolve(shared);
    const promise = new Promise<Snapshot>((resolve) => this.#waiting.push(resolve));
    if (this.#waiting.length === 1) this.#ask({ type: "snapshot" }, undefined);
    return promise;
  }

  /** Notes that the schedule has changed, and scans when it is time. */
  reschedule(): void {
    clearTimeout(this.#timer);
    if (this.#end || this.#pending.some(({ command }) => command === "scan")) return;
    const { delayMs } = this.schedule;
    if (delayMs < Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.#scan(), delayMs);
  }

  /** Ends the feed: nobody watches any more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#commands.close();
    this.#stop.abort();
  }

  #scan(): void {
    clearTimeout(this.#timer);
    if (this.#end || this.#pending.some(({ command }) => command === "scan")) return;
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
    const args = { target: this.#target, dedupMemoryBytes };
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
    if (report.type === "chunk") {
      this.#chunks.push(receivedChunk(report.chunk));
      return;
    }
    this.#pending.shift()?.map?.close();
    if (report.type === "snapshotDone") this.#shareSnapshot();
    else this.#learn(report.scan, receivedChanges(report.changes));
    if (report.type === "scanned") {
      this.#lastScan = report.scan;
      this.schedule.finished(report.scan.busyMs);
      this.reschedule();
    }
    this.bell.ring();
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
    clearTimeout(this.#timer);
    this.bell.ring();
  }
}

/** Buffers come from another thread as plain arrays. */
function receivedChunk(chunk: SnapshotChunk): SnapshotChunk {
  return { ...chunk, keys: asBuffer(chunk.keys), values: asBuffer(chunk.values) };
}
