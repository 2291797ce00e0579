import type { MapHost, OpenMap, ScanTarget, ThreadPool } from "../maps/index.js";
import { scanTarget } from "../maps/index.js";
import { Bell } from "./bell.js";
import { asBuffer, type Changes, receivedChanges, type Writer } from "./changes.js";
import { History } from "./history.js";
import { JobDesk } from "./job-desk.js";
import { PollSchedule } from "./poll-schedule.js";
import { Snapshot, SnapshotShelf } from "./snapshot.js";
import type { WatchLimits } from "./watch-limits.js";
import type { WatchObserver } from "./watch-observer.js";
import type { Scan, SnapshotChunk, Source, WatchReport } from "./watch-protocol.js";

/** How soon a map is noticed to be gone, however seldom it is scanned. */
const LIFE_CHECK_MS = 1000;

/** More keys than this at once are not looked at one by one: a scan is as good. */
const MAX_LOOK_KEYS = 4096;

/** More keys than this are not looked at between two scans, as each takes memory till then. */
const MAX_LOOKS_KEYS = 65_536;

/**
 * All that is learnt of one map, for all who watch it: one job that mirrors it, one
 * schedule of scans, one history. The map is opened for each look at it, so a feed sees
 * it go.
 */
export class MapFeed {
  readonly id: number;
  readonly schedule: PollSchedule;
  /** Rings with every revision, every scan, and the end. */
  readonly bell = new Bell();
  readonly #host: MapHost;
  readonly #target: ScanTarget;
  readonly #observer: WatchObserver | undefined;
  readonly #desk = new JobDesk();
  readonly #history: History;
  readonly #waiting: ((snapshot: Snapshot | undefined) => void)[] = [];
  #chunks: SnapshotChunk[] = [];
  readonly #snapshots = new SnapshotShelf();
  #timer: NodeJS.Timeout | undefined;
  #lifeTimer: NodeJS.Timeout | undefined;
  #isResting = true;
  /** Whether somebody waits for a scan that has not begun. */
  #isHurried = false;
  #keysLookedAt = 0;
  #lastScan: Scan | undefined;
  /** Whether no scan has begun since the map is traced: none of the calls before was told. */
  #isTracedAnew = false;
  #tracedSince = 0;
  #source: Source = {
    kind: "poll",
    reason: "scans are enough for LATEST; ask for EVERY_CALL or BEST_AVAILABLE to trace",
  };
  #tracing: Promise<Source> | undefined;
  #onTracing: (source: Source) => void = () => {};
  #end: { readonly error?: unknown } | undefined;

  /**
   * It rests until {@link wake}.
   *
   * @param start the revision that the first scan finds the map at
   */
  constructor(
    host: MapHost,
    threads: ThreadPool,
    map: OpenMap,
    limits: WatchLimits,
    start: number,
    observer?: WatchObserver,
  ) {
    this.#observer = observer;
    this.id = map.info.id;
    this.#host = host;
    this.#target = scanTarget(host, map);
    this.schedule = new PollSchedule(limits.cpuShare);
    this.#history = new History(limits.historyBytes, start);
    void this.#run(threads, limits.traceRingBytes);
  }

  /**
   * When what subscribers were told was seen: the last scan, up to the last look after
   * it. Undefined before the first scan, and before the first after a rest.
   */
  get lastScan(): Scan | undefined {
    return this.#lastScan;
  }

  /** Whether a scan has seen what was there before the map was watched, and traced. */
  get isScanned(): boolean {
    return this.#lastScan !== undefined && !this.#isTracedAnew;
  }

  /** The first revision after which every call is told, where the map is traced. */
  get tracedSince(): number {
    return this.#tracedSince;
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
    if (this.#end) return Promise.resolve(this.#source);
    this.#tracing ??= new Promise((resolve) => {
      this.#onTracing = resolve;
      this.#desk.ask({ type: "trace", mapId: this.id });
    });
    return this.#tracing;
  }

  /** Whether it does not scan, as nobody watches. */
  get isResting(): boolean {
    return this.#isResting;
  }

  /** Scans nothing until {@link wake}. What is traced is still learnt. */
  rest(): void {
    this.#isResting = true;
    this.#lastScan = undefined;
    this.#stopTimers();
  }

  /** Scans again, at once. */
  wake(): void {
    this.#isResting = false;
    clearInterval(this.#lifeTimer);
    this.#lifeTimer = setInterval(() => this.#open()?.close(), LIFE_CHECK_MS);
    this.hurry();
  }

  /** Tells of keys that the service has just written, or of any number of them. */
  wrote(keys: Uint8Array | undefined): void {
    // What is traced tells of the service's calls as of all others, and in their order.
    if (this.#source.kind === "poll") this.#written(keys);
  }

  /** Scans as soon as may be. */
  hurry(): void {
    this.#isHurried = true;
    this.reschedule();
  }

  /** Looks at keys that were written, or hurries to scan where they are too many. */
  #written(keys: Uint8Array | undefined, writers?: readonly Writer[]): void {
    // A scan that is still to be made will see them.
    if (this.#isResting || (this.#lastScan === undefined && !this.#isScanning)) return;
    const count = keys ? keys.length / this.#target.layout.keySize : Number.POSITIVE_INFINITY;
    if (!keys || count > MAX_LOOK_KEYS || !this.#hasRoomFor(count)) {
      this.hurry();
      return;
    }
    const map = this.#open();
    if (map) this.#desk.ask({ type: "look", fd: map.fd, keys, writers }, map);
  }

  /** Counts keys that are told outside of a scan; false where a scan has to settle them. */
  #hasRoomFor(keys: number): boolean {
    this.#keysLookedAt += keys;
    return this.#keysLookedAt <= MAX_LOOKS_KEYS;
  }

  /**
   * The map's contents, as of a revision that the history reaches back to, and not before
   * `notBefore`. Undefined where the feed has ended, or rested meanwhile.
   */
  snapshot(notBefore = 0): Promise<Snapshot | undefined> {
    const shared = this.#snapshots.last;
    if (shared && shared.revision >= notBefore && this.#history.after(shared.revision)) {
      return Promise.resolve(shared);
    }
    if (this.#end) return Promise.resolve(undefined);
    const promise = new Promise<Snapshot | undefined>((resolve) => this.#waiting.push(resolve));
    if (this.#waiting.length === 1) this.#desk.ask({ type: "snapshot" });
    return promise;
  }

  /** Notes that the schedule has changed, and scans when it is time. */
  reschedule(): void {
    clearTimeout(this.#timer);
    if (this.#end || this.#isResting || this.#isScanning) return;
    const delayMs = this.#isHurried ? this.schedule.hurryMs : this.schedule.delayMs;
    if (delayMs < Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.#scan(), delayMs);
  }

  /** Ends the feed. */
  close(): void {
    this.#stopTimers();
    this.#desk.close();
  }

  #stopTimers(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#lifeTimer);
  }

  get #isScanning(): boolean {
    return this.#desk.isPending("scan");
  }

  #scan(): void {
    const map = this.#open();
    if (!map) return;
    this.#isHurried = false;
    this.#keysLookedAt = 0;
    this.schedule.started();
    this.#desk.ask({ type: "scan", fd: map.fd }, map);
  }

  #open(): OpenMap | undefined {
    if (this.#end) return undefined;
    try {
      const map = this.#host.openById(this.id);
      if (!map) this.#finish({});
      return map;
    } catch (error) {
      this.#finish({ error });
      return undefined;
    }
  }

  async #run(threads: ThreadPool, traceRingBytes: number): Promise<void> {
    const { dedupMemoryBytes } = this.#host.limits;
    const args = { target: this.#target, dedupMemoryBytes, traceRingBytes };
    try {
      await this.#desk.run(threads, args, (report) => this.#take(report));
    } catch (error) {
      this.#finish({ error });
    }
  }

  #take(report: WatchReport): void {
    switch (report.type) {
      case "chunk":
        this.#chunks.push(receivedChunk(report.chunk));
        return;
      case "snapshotDone":
        this.#desk.answered("snapshot");
        this.#shareSnapshot();
        return;
      case "tracing":
        this.#desk.answered("trace");
        this.#source = report.source;
        if (report.source.kind === "trace") this.#scanTraced();
        this.#onTracing(report.source);
        break;
      case "looked":
        this.#desk.answered("look");
        this.#learnBesides(report.scan, report.changes);
        break;
      case "traced":
        this.#learnBesides(report.scan, report.changes);
        if (!this.#hasRoomFor(report.changes.writers.length)) this.hurry();
        break;
      case "touched":
        if (report.keys) this.#written(report.keys, report.writers);
        else this.#written(undefined);
        return;
      case "lost":
        this.#lose(report.calls);
        this.hurry();
        break;
      case "scanned":
        this.#desk.answered("scan");
        this.#learn(report.scan, report.changes);
        this.schedule.finished(report.scan.busyMs);
        this.#observer?.scanned(report.scan);
        if (this.#isResting) break;
        this.#lastScan = report.scan;
        if (this.#isTracedAnew) this.#tracedSince = this.#history.latest;
        this.#isTracedAnew = false;
        this.reschedule();
    }
    this.bell.ring();
  }

  /** What was written before the map was traced, a scan has to find. */
  #scanTraced(): void {
    this.#isTracedAnew = true;
    // A scan that has not answered yet was asked for later: the job takes one after the other.
    if (!this.#isScanning) this.hurry();
  }

  #learn(scan: Scan, received: Changes): void {
    const changes = receivedChanges(received);
    if (changes.puts.count + changes.deletes.count > 0) this.#history.append(changes, scan);
  }

  #lose(calls: number): void {
    const now = Date.now();
    const look = { startedMs: now, finishedMs: now, busyMs: 0, complete: true, shadowBytes: 0 };
    this.#history.lose(calls, look);
  }

  /** Learns what was seen besides scans: what subscribers hold is as new as that. */
  #learnBesides(scan: Scan, changes: Changes): void {
    this.#learn(scan, changes);
    if (!this.#lastScan) return;
    this.#lastScan = { ...this.#lastScan, finishedMs: scan.finishedMs };
  }

  #shareSnapshot(): void {
    const chunks = this.#chunks;
    this.#chunks = [];
    const scan = this.#lastScan;
    const { latest } = this.#history;
    const calls = this.#history.callsUpTo(latest);
    const snapshot = scan && new Snapshot(latest, scan, calls, chunks);
    if (snapshot) this.#snapshots.add(snapshot);
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

/** Buffers come from another thread as plain arrays. */
function receivedChunk(chunk: SnapshotChunk): SnapshotChunk {
  return { ...chunk, keys: asBuffer(chunk.keys), values: asBuffer(chunk.values) };
}
