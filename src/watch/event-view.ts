import {
  type CpuView,
  KeyIndex,
  type MapLayout,
  type ValueCopier,
  valueCopier,
  viewedValueSize,
} from "../maps/index.js";
import type { ValueAt, Writer } from "./changes.js";
import { GrowingColumn } from "./growing-column.js";
import type { Revision } from "./history.js";
import { eachChange, type NetChange, netChanges, sideOf, writerOf } from "./net-changes.js";
import type { KeyChooser } from "./watch-filter.js";
import type { Scan, SnapshotChunk } from "./watch-protocol.js";
import type { WatchEvents } from "./watch-request.js";

/** Keys and values of one message to aim at, in bytes. */
const MESSAGE_BYTES = 1 << 18;

/** Whether what left a key as it was is told. */
export type Telling = "all" | "changes only";

/** What a stream shows of changes. */
export interface EventViewOptions {
  readonly keysOnly: boolean;
  readonly cpuView?: CpuView | undefined;
  readonly previousValues: boolean;
}

/** Turns changes and snapshots into the messages of one stream. */
export class EventView {
  /** Bytes of one value in the stream. */
  readonly valueStride: number;
  readonly #layout: MapLayout;
  readonly #isChosen: KeyChooser | undefined;
  readonly #options: EventViewOptions;
  readonly #copyValue: ValueCopier;
  /** Two values as they are shown, to be compared. */
  readonly #compared: readonly [Buffer, Buffer];

  constructor(layout: MapLayout, isChosen: KeyChooser | undefined, options: EventViewOptions) {
    this.#layout = layout;
    this.#isChosen = isChosen;
    this.#options = options;
    this.valueStride = options.keysOnly ? 0 : viewedValueSize(layout, options.cpuView);
    this.#copyValue = valueCopier(layout, options.cpuView);
    this.#compared = [Buffer.alloc(this.valueStride), Buffer.alloc(this.valueStride)];
  }

  /** The messages of a snapshot's chunk. */
  ofSnapshot(chunk: SnapshotChunk, revision: number, scan: Scan): WatchEvents[] {
    const writer = this.#writer(revision, true, scan.startedMs, scan.finishedMs);
    const { keySize, valueStride } = this.#layout;
    for (let index = 0; index < chunk.count; index++) {
      const keyAt = index * keySize;
      if (this.#isChosen && !this.#isChosen(chunk.keys, keyAt)) continue;
      writer.put(chunk.keys, keyAt, chunk.values, index * valueStride);
    }
    return writer.take();
  }

  /**
   * The messages of revisions, oldest first, as if they were one: of several changes of
   * a key only the last is told, and nothing where they left the key as it was. To a reader
   * that has been told a part of them, `which` is all: it may not know the key as it was.
   */
  ofRevisions(revisions: readonly Revision[], which: Telling): WatchEvents[] {
    const last = revisions.at(-1);
    if (!last) return [];
    const { keySize, valueStride } = this.#layout;
    const writer = this.#writer(last.number, false, ...spanOf(revisions));
    for (const change of netChanges(revisions, keySize, valueStride, this.#isChosen)) {
      const isUndone = change.previous === "absent" && !change.last.isPut;
      if (isUndone && which === "changes only") continue;
      this.#tell(change, writer, which);
    }
    return writer.take();
  }

  /** The messages of one revision: every call that it tells of, in order. */
  ofEveryCall(revision: Revision): WatchEvents[] {
    const { keySize, valueStride } = this.#layout;
    const writer = this.#writer(revision.number, false, ...spanOf([revision]));
    let told = new KeyIndex(keySize);
    for (const change of eachChange(revision, keySize, valueStride, this.#isChosen)) {
      const { size } = told;
      // Within one message a key stands once.
      if (told.add(sideOf(change.last).keys, change.last.index * keySize) < size) {
        writer.split();
        told = new KeyIndex(keySize);
        told.add(sideOf(change.last).keys, change.last.index * keySize);
      }
      this.#tell(change, writer, this.#options.cpuView ? "changes only" : "all");
    }
    return writer.take();
  }

  #tell({ last, previous }: NetChange, writer: EventWriter, which: Telling): void {
    const { keys } = sideOf(last);
    const keyAt = last.index * this.#layout.keySize;
    const known = typeof previous === "object" ? previous : undefined;
    if (!last.isPut) {
      writer.delete(keys, keyAt, known, writerOf(last));
      return;
    }
    const { values } = last.changes.puts;
    const at = last.index * this.#layout.valueStride;
    if (which === "changes only" && known && this.#looksSame(values, at, known)) return;
    writer.put(keys, keyAt, values, at, known, writerOf(last));
  }

  #writer(revision: number, initial: boolean, after: number, before: number): EventWriter {
    return new EventWriter(this.#layout, this.#options, this.valueStride, {
      revision,
      initial,
      seenAfterMs: after,
      seenBeforeMs: before,
    });
  }

  /** Whether a change does not show in the stream's view of the value. */
  #looksSame(values: Buffer, at: number, previous: ValueAt): boolean {
    if (this.#options.keysOnly) return false;
    const [now, then] = this.#compared;
    this.#copyValue(values, at, now, 0);
    this.#copyValue(previous.values, previous.at, then, 0);
    return now.equals(then);
  }
}

/** From when to when revisions were seen: a write of the service can lie within a scan. */
function spanOf(revisions: readonly Revision[]): [after: number, before: number] {
  let [after, before] = [Number.POSITIVE_INFINITY, 0];
  for (const { scan } of revisions) {
    after = Math.min(after, scan.startedMs);
    before = Math.max(before, scan.finishedMs);
  }
  return [after, before];
}

type EventFrame = Pick<WatchEvents, "revision" | "initial" | "seenAfterMs" | "seenBeforeMs">;

/** Writes changes into messages of about the same size. */
class EventWriter {
  readonly #keySize: number;
  readonly #stride: number;
  readonly #copyValue: ValueCopier;
  readonly #withPrevious: boolean;
  readonly #frame: EventFrame;
  readonly #full: WatchEvents[] = [];
  readonly #scratch: Buffer;
  #message = new EventColumns();

  constructor(layout: MapLayout, options: EventViewOptions, stride: number, frame: EventFrame) {
    this.#keySize = layout.keySize;
    this.#stride = stride;
    this.#copyValue = valueCopier(layout, options.cpuView);
    this.#withPrevious = options.previousValues && !options.keysOnly;
    this.#frame = frame;
    this.#scratch = Buffer.alloc(stride);
  }

  put(
    keys: Buffer,
    keyAt: number,
    values: Buffer,
    at: number,
    previous?: ValueAt,
    writer?: Writer,
  ): void {
    const message = this.#next();
    if (writer) message.putters.push(writer);
    message.puts++;
    message.putKeys.append(keys, keyAt, this.#keySize);
    this.#appendValue(message.values, values, at);
    this.#appendPrevious(message.putPrevious, message.putPresent, previous);
  }

  delete(keys: Buffer, keyAt: number, previous?: ValueAt, writer?: Writer): void {
    const message = this.#next();
    if (writer) message.deleters.push(writer);
    message.deletes++;
    message.deleteKeys.append(keys, keyAt, this.#keySize);
    this.#appendPrevious(message.deletePrevious, message.deletePresent, previous);
  }

  take(): WatchEvents[] {
    this.split();
    return this.#full;
  }

  /** Begins another message. */
  split(): void {
    if (this.#message.puts + this.#message.deletes > 0) this.#close();
  }

  #next(): EventColumns {
    const { puts, deletes } = this.#message;
    const bytes = (puts + deletes) * this.#keySize + puts * this.#stride;
    if (bytes >= MESSAGE_BYTES) this.#close();
    return this.#message;
  }

  #close(): void {
    const message = this.#message;
    this.#message = new EventColumns();
    this.#full.push({
      ...this.#frame,
      puts: { count: message.puts, keys: message.putKeys.take(), values: message.values.take() },
      deletes: { count: message.deletes, keys: message.deleteKeys.take() },
      writers: message.writers,
      ...(this.#withPrevious && {
        previous: {
          values: Buffer.concat([message.putPrevious.take(), message.deletePrevious.take()]),
          present: [...message.putPresent, ...message.deletePresent],
        },
      }),
    });
  }

  #appendValue(column: GrowingColumn, values: Buffer, at: number): void {
    if (this.#stride === 0) return;
    this.#copyValue(values, at, this.#scratch, 0);
    column.append(this.#scratch, 0, this.#stride);
  }

  #appendPrevious(column: GrowingColumn, present: boolean[], previous: ValueAt | undefined): void {
    if (!this.#withPrevious) return;
    present.push(previous !== undefined);
    if (previous) this.#appendValue(column, previous.values, previous.at);
    else column.appendZeros(this.#stride);
  }
}

class EventColumns {
  puts = 0;
  deletes = 0;
  readonly putters: Writer[] = [];
  readonly deleters: Writer[] = [];
  readonly putKeys = new GrowingColumn();
  readonly values = new GrowingColumn();
  readonly putPrevious = new GrowingColumn();
  readonly putPresent: boolean[] = [];
  readonly deleteKeys = new GrowingColumn();
  readonly deletePrevious = new GrowingColumn();
  readonly deletePresent: boolean[] = [];

  /** One for each put and then each delete; none where one of them is not known. */
  get writers(): Writer[] {
    const writers = [...this.putters, ...this.deleters];
    return writers.length === this.puts + this.deletes ? writers : [];
  }
}
