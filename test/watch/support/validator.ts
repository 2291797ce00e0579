import {
  ResyncReason,
  type WatchBookmark,
  type WatchEvents,
  WatchFidelity,
  type WatchResponse,
  WriterKind,
} from "@bpfmapd/client/proto";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { CallOrder } from "./call-order.js";
import { type EventRow, eventRows } from "./event-rows.js";
import type { GroundTruth } from "./ground-truth.js";
import type { RecordedCall, RecordedMessage, Recording, Standing, ToldValue } from "./recording.js";

/** A stream without news for longer than its interval and this hangs. */
const PATIENCE_MS = 20_000;

/** Clocks tell whole milliseconds. */
const TICK_MS = 1;

/** A write of the service can be looked at after a scan has told it, and is told again then. */
const OVERTAKEN_MS = 5000;

/** What a recording shows. */
export interface Verdict {
  /** Promises that it breaks, for people. */
  readonly violations: readonly string[];
  /** What its reader holds at the end. */
  readonly standing: Standing | undefined;
  readonly events: number;
  /** Events that tell a call, in streams of every call. */
  readonly calls: number;
  readonly bookmarks: number;
  readonly resyncs: Readonly<Record<string, number>>;
}

/**
 * Checks every promise of docs/watch.md that a recording can show, against what was
 * done to the maps, by id.
 */
export function validate(recording: Recording, truths: ReadonlyMap<number, GroundTruth>): Verdict {
  const reader = new Reader(recording, truths);
  for (const call of recording.calls) reader.read(call);
  return reader;
}

type Phase = "before created" | "snapshot" | "live" | "gone";

/** Reads a recording as a subscriber would, and notes what it must not see. */
class Reader implements Verdict {
  readonly violations: string[] = [];
  events = 0;
  calls = 0;
  bookmarks = 0;
  readonly resyncs: Record<string, number> = {};
  readonly #recording: Recording;
  readonly #truths: ReadonlyMap<number, GroundTruth>;
  /** The tokens that calls resumed from, and where the reader stood there. */
  readonly #resumedFrom: ReadonlySet<string | undefined>;
  readonly #standings = new Map<string, Standing>();
  #call!: RecordedCall;
  #phase: Phase = "before created";
  #resumed: Standing | undefined;
  /** What the reader was told after the token that it resumed from, and holds on to. */
  #toldBeyond: ReadonlyMap<string, ToldValue> = new Map();
  /**
   * The revision up to which a resumed call tells again whatever changed since its token,
   * also what stands as it did there.
   */
  #toldAnewAt: bigint | undefined;
  #isRecreated = false;
  #epoch = "";
  #mapId = 0;
  #keySize = 0;
  #stride = 0;
  #tellsEveryCall = false;
  #truth: GroundTruth | undefined;
  #contents = new Map<string, ToldValue>();
  #isWhole = true;
  /** The last revision of the call. */
  #revision = 0n;
  #bookmarked: bigint | undefined;
  /** The scans of the first and of the last bookmark since a start. */
  #firstScan: Window | undefined;
  #lastScan: Window | undefined;
  #toldSinceBookmark = new Set<string>();
  /** The calls told since a start. */
  #order = new CallOrder();
  #index = 0;

  constructor(recording: Recording, truths: ReadonlyMap<number, GroundTruth>) {
    this.#recording = recording;
    this.#truths = truths;
    this.#resumedFrom = new Set(recording.calls.map(({ resumeToken }) => resumeToken));
  }

  get standing(): Standing | undefined {
    if (this.#phase !== "live") return undefined;
    return {
      epoch: this.#epoch,
      mapId: this.#mapId,
      revision: this.#bookmarked ?? 0n,
      scan: this.#lastScan ?? [0, 0],
      contents: new Map(this.#contents),
      isWhole: this.#isWhole,
    };
  }

  read(call: RecordedCall): void {
    this.#call = call;
    this.#phase = "before created";
    this.#isRecreated = false;
    this.#bookmarked = undefined;
    this.#resumed = undefined;
    this.#toldBeyond = new Map();
    this.#toldSinceBookmark = new Set();
    this.#toldAnewAt = undefined;
    if (call.resumeToken !== undefined) {
      this.#resumed = this.#standings.get(call.resumeToken);
      this.#must(this.#resumed !== undefined, "resumed from a token that is not recorded");
      if (this.#resumed && this.#isSameRun(this.#resumed)) {
        this.#toldBeyond = beyond(this.#resumed, this.#contents);
      }
    }
    for (const [index, recorded] of call.messages.entries()) {
      this.#index = index;
      this.#take(recorded);
    }
    this.#checkOrder();
    this.#checkPace();
  }

  #take({ at, message: { kind } }: RecordedMessage): void {
    this.#must(this.#phase !== "gone" || kind.case === "resync", `${kind.case} after map_gone`);
    if (this.#phase === "before created" && kind.case !== "created") {
      const isFollowing = kind.case === "resync" && this.#isRecreated;
      this.#must(isFollowing, `${kind.case} before created`);
    }
    switch (kind.case) {
      case "created": {
        const { map, valueStride, epoch, fidelity } = kind.value;
        this.#tellsEveryCall = fidelity === WatchFidelity.EVERY_CALL;
        this.#must(this.#phase === "before created", "created twice");
        this.#create(map?.id ?? 0, map?.keySize ?? 0, valueStride, hex(epoch), at);
        break;
      }
      case "events":
        this.#takeEvents(kind.value, at);
        break;
      case "bookmark":
        this.#takeBookmark(kind.value, at);
        break;
      case "resync":
        this.#resync(kind.value.reason);
        break;
      case "mapGone":
        this.#must(kind.value.id === this.#mapId, `another map is gone: ${kind.value.id}`);
        this.#must((this.#truth?.goneFrom ?? Infinity) <= at, "the map is not gone");
        this.#phase = "gone";
        break;
      default:
        this.#must(false, "an empty message");
    }
  }

  #create(mapId: number, keySize: number, stride: number, epoch: string, at: number): void {
    this.#mapId = mapId;
    this.#keySize = keySize;
    this.#stride = stride;
    this.#epoch = epoch;
    this.#truth = this.#truths.get(mapId);
    this.#must(this.#truth !== undefined, `a map that the test does not know: ${mapId}`);
    this.#startOrder();
    const { updatesOnly } = this.#recording.request;
    this.#revision = 0n;
    if (this.#resumed) {
      if (this.#isSameRun(this.#resumed)) this.#revision = this.#resumed.revision;
      this.#contents = new Map(this.#resumed.contents);
      this.#isWhole = this.#resumed.isWhole;
      this.#bookmarked = this.#isSameRun(this.#resumed) ? this.#resumed.revision : undefined;
      this.#firstScan = this.#resumed.scan;
      for (const [key, { shown }] of this.#contents) this.#order.tell(key, shown);
      this.#phase = "live";
    } else {
      this.#contents = new Map();
      this.#toldBeyond = new Map();
      this.#isWhole = this.#isRecreated || !updatesOnly;
      this.#phase = this.#isWhole ? "snapshot" : "live";
      // Without a snapshot, what is changed from now on is told.
      if (!this.#isWhole) this.#firstScan = [0, at];
    }
  }

  #resync(reason: ResyncReason): void {
    const name = ResyncReason[reason] ?? `${reason}`;
    this.resyncs[name] = (this.resyncs[name] ?? 0) + 1;
    const resumed = this.#resumed;
    const isReplaced = reason === ResyncReason.MAP_RECREATED && !resumed;
    if (this.#phase === "gone" || isReplaced) {
      this.#must(reason === ResyncReason.MAP_RECREATED, `resync(${name}) after map_gone`);
      this.#must(this.#recording.request.follow, "followed, though nobody asked");
      this.#phase = "before created";
      this.#isRecreated = true;
      this.#resumed = undefined;
      return;
    }
    if (reason === ResyncReason.HISTORY_EXPIRED) {
      const isSame = resumed !== undefined && this.#isSameRun(resumed);
      this.#must(isSame, "resync(HISTORY_EXPIRED) where nothing was resumed");
    } else if (reason === ResyncReason.EPOCH_CHANGED) {
      this.#must(resumed && resumed.epoch !== this.#epoch, "the epoch has not changed");
    } else if (reason === ResyncReason.MAP_RECREATED) {
      this.#must(resumed && resumed.mapId !== this.#mapId, "the map is the same");
    } else {
      const isLoss = reason === ResyncReason.TRACE_LOST && this.#tellsEveryCall;
      this.#must(isLoss || reason === ResyncReason.OVERFLOW, `resync(${name})`);
    }
    this.#checkOrder();
    this.#startOrder();
    this.#contents = new Map();
    this.#toldBeyond = new Map();
    this.#isWhole = true;
    this.#phase = "snapshot";
    this.#resumed = undefined;
  }

  #startOrder(): void {
    this.#order = new CallOrder();
    this.#firstScan = undefined;
    this.#lastScan = undefined;
  }

  /** With EVERY_CALL: every call was told, in order, for each key. */
  #checkOrder(): void {
    const [first, last] = [this.#firstScan, this.#lastScan];
    if (!this.#tellsEveryCall || !this.#truth || !first || !last) return;
    const wrong = this.#order.check(this.#truth, first, last[0], this.#recording.request);
    for (const failure of wrong) this.#must(false, failure);
  }

  #isSameRun({ epoch, mapId }: Standing): boolean {
    return epoch === this.#epoch && mapId === this.#mapId;
  }

  #takeEvents(events: WatchEvents, at: number): void {
    const { revision, initial } = events;
    if (this.#resumed && this.#isSameRun(this.#resumed)) this.#toldAnewAt = revision;
    this.#resumed = undefined;
    this.#must(
      initial === (this.#phase === "snapshot"),
      `${initial ? "initial" : "live"} events while ${this.#phase}`,
    );
    this.#checkRevision(revision);
    if (this.#bookmarked !== undefined && !initial) {
      this.#must(revision > this.#bookmarked, `revision ${revision} comes after its bookmark`);
    }
    const window = this.#window(events.seenAfter, events.seenBefore, at);
    const seen = new Set<string>();
    for (const row of eventRows(events, this.#keySize, this.#stride, (why) =>
      this.#must(false, why),
    )) {
      this.events++;
      this.#must(!seen.has(row.key), `${row.key} stands twice in a message`);
      seen.add(row.key);
      this.#must(this.#recording.request.chooses(row.key), `${row.key} is not chosen`);
      if (initial) this.#checkInitial(row);
      else this.#checkChange(row, revision, at);
      if (row.writer && !this.#isLookedAt(row)) {
        const call = row.writer.kind === WriterKind.PROGRAM ? "program" : "syscall";
        this.calls++;
        this.#order.tell(row.key, row.shown, call);
      } else {
        this.#order.tell(row.key, row.shown);
      }
      this.#checkTrue(row.key, row.shown, window, row.shown === undefined ? "delete" : "put");
      this.#contents.set(row.key, { shown: row.shown, seenAfter: window[0] });
      this.#toldSinceBookmark.add(row.key);
    }
  }

  /** Programs write one CPU's slot: what the whole value then is, the daemon looks up. */
  #isLookedAt({ shown, writer }: EventRow): boolean {
    const isPut = shown !== undefined;
    return isPut && writer?.kind === WriterKind.PROGRAM && this.#truth?.isPerCpu === true;
  }

  #checkInitial({ key, shown }: EventRow): void {
    this.#must(shown !== undefined, `${key} is deleted in a snapshot`);
    this.#must(!this.#contents.has(key), `${key} stands twice in a snapshot`);
  }

  #checkChange({ key, shown, previous }: EventRow, revision: bigint, at: number): void {
    const { keysOnly, previousValues } = this.#recording.request;
    const told = this.#contents.get(key);
    const isKnown = told !== undefined || this.#isWhole;
    const since = (told?.seenAfter ?? 0) - OVERTAKEN_MS;
    const isToldAnew = revision === this.#toldAnewAt;
    const isCompared =
      !this.#tellsEveryCall && !isToldAnew && !this.#truth?.isToldAtOnce(key, since, at);
    if (isKnown && isCompared) {
      if (shown === undefined) this.#must(told?.shown !== undefined, `delete of ${key} again`);
      else if (!keysOnly) this.#must(told?.shown !== shown, `put of ${key} = ${shown} again`);
    }
    if (!previousValues || keysOnly || !isKnown) return;
    if (previous !== undefined) {
      this.#must(
        previous === told?.shown,
        `${key} was told as ${told?.shown ?? "nothing"}, its previous is ${previous}`,
      );
    } else if (isCompared) {
      this.#must(told?.shown === undefined, `the previous value of ${key} is not told`);
    }
  }

  #takeBookmark(bookmark: WatchBookmark, at: number): void {
    this.bookmarks++;
    this.#resumed = undefined;
    this.#must(
      bookmark.snapshotDone === (this.#phase === "snapshot"),
      `bookmark with snapshot_done ${bookmark.snapshotDone} while ${this.#phase}`,
    );
    if (this.#phase === "snapshot") this.#phase = "live";
    this.#checkRevision(bookmark.revision);
    this.#bookmarked = bookmark.revision;
    this.#holdOn();
    const window = this.#window(bookmark.scanStarted, bookmark.scanFinished, at);
    for (const key of this.#keysToCheck(window)) {
      const told = this.#contents.get(key);
      if (!this.#recording.request.chooses(key) || (!told && !this.#isWhole)) continue;
      this.#checkTrue(key, told?.shown, window, "contents at a bookmark");
    }
    this.#firstScan ??= window;
    this.#lastScan = window;
    const token = hex(bookmark.resumeToken);
    const standing = this.#resumedFrom.has(token) ? this.standing : undefined;
    if (standing) this.#standings.set(token, standing);
  }

  /** What is told anew by now replaces what the reader had; the rest must still hold. */
  #holdOn(): void {
    for (const [key, told] of this.#toldBeyond) {
      if (this.#toldSinceBookmark.has(key)) continue;
      this.#toldSinceBookmark.add(key);
      this.#contents.set(key, told);
    }
    this.#toldBeyond = new Map();
  }

  /** Where nothing was told or done since the last bookmark, what held there holds still. */
  #keysToCheck([, to]: Window): Set<string> {
    const told = this.#toldSinceBookmark;
    this.#toldSinceBookmark = new Set();
    const touched = this.#lastScan && this.#truth?.keysTouchedIn([this.#lastScan[0], to]);
    if (touched) return new Set([...told, ...touched]);
    return new Set([...(this.#truth?.keys() ?? []), ...this.#contents.keys()]);
  }

  #checkTrue(key: string, shown: string | undefined, window: Window, what: string): void {
    const { view } = this.#recording.request;
    if (this.#truth?.couldShow(key, shown, window, view)) return;
    const held = this.#truth?.tell(key, window);
    this.#must(
      false,
      `${what}: ${key} = ${shown ?? "nothing"}, but the map held ${held} from ${window[0]} to ${window[1]}`,
    );
  }

  #checkRevision(revision: bigint): void {
    this.#must(revision >= this.#revision, `revision ${revision} after ${this.#revision}`);
    this.#revision = revision;
  }

  #window(
    after: Parameters<typeof timestampMs>[0] | undefined,
    before: Parameters<typeof timestampMs>[0] | undefined,
    at: number,
  ): Window {
    if (!after || !before) {
      this.#must(false, "times are missing");
      return [0, at];
    }
    const window: Window = [timestampMs(after), timestampMs(before)];
    this.#must(window[0] <= window[1], "it was seen before after");
    this.#must(window[1] <= at + TICK_MS, `it was seen in the future: ${window[1]}, at ${at}`);
    return window;
  }

  /** Bookmarks come on their interval, even when nothing changes. */
  #checkPace(): void {
    const { messages, pauses } = this.#call;
    let last: number | undefined;
    for (const { at, message } of messages) {
      if (message.kind.case === "mapGone") last = undefined;
      if (message.kind.case !== "bookmark") continue;
      const isPaused = pauses.some(({ from, to }) => from <= at && to >= (last ?? at));
      const late = at - (last ?? at) - this.#recording.request.bookmarkMs;
      this.#must(isPaused || late < PATIENCE_MS, `no bookmark for ${late} ms too long`);
      last = at;
    }
  }

  #must(holds: unknown, promise: string): void {
    if (holds) return;
    const before = this.#call.messages.slice(Math.max(0, this.#index - 3), this.#index + 1);
    const trace = before.map(({ message }) => traceOf(message)).join(" | ");
    this.violations.push(
      `${this.#recording.name}, call ${this.#recording.calls.indexOf(this.#call)}, message ${this.#index}: ${promise} (${trace})`,
    );
  }
}

/** What is held beside what a token stands for. */
function beyond(
  { contents }: Standing,
  held: ReadonlyMap<string, ToldValue>,
): Map<string, ToldValue> {
  return new Map([...held].filter(([key, told]) => contents.get(key) !== told));
}

/** A message in a few words. */
function traceOf({ kind }: WatchResponse): string {
  if (kind.case === "created") return `created map ${kind.value.map?.id}`;
  if (kind.case === "resync") return `resync ${ResyncReason[kind.value.reason]}`;
  if (kind.case === "bookmark" || kind.case === "events") {
    return `${kind.case} at ${kind.value.revision}`;
  }
  return `${kind.case}`;
}

type Window = readonly [from: number, to: number];

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
