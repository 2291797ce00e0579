import {
  type CpuView,
  KeyIndex,
  type MapLayout,
  valueCopier,
  viewedValueSize,
} from "../maps/index.js";
import type { ChangeColumns, Changes, Writer } from "./changes.js";
import { GrowingColumn } from "./growing-column.js";
import type { Revision } from "./history.js";
import type { KeyChooser } from "./watch-filter.js";
import type { Scan, SnapshotChunk } from "./watch-protocol.js";
import type { WatchEvents } from "./watch-request.js";

/** Keys and values of one message to aim at, in bytes. */
const MESSAGE_BYTES = 1 << 18;

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

  constructor(layout: MapLayout, isChosen: KeyChooser | undefined, options: EventViewOptions) {
    this.#layout = layout;
    this.#isChosen = isChosen;
    this.#options = options;
    this.valueStride = options.keysOnly ? 0 : viewedValueSize(layout, options.cpuView);
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

  /** The messages of one revision: all its changes, in order. */
  ofRevision({ number, changes, scan }: Revision): WatchEvents[] {
    const writer = this.#writer(number, false, scan.startedMs, scan.finishedMs);
    this.#tell(changes, writer, undefined);
    return writer.take();
  }

  /**
   * The messages of revisions, oldest first, as if they were one: of several changes of
   * a key only the last is told.
   */
  ofRevisions(revisions: readonly Revision[]): WatchEvents[] {
    const [first] = revisions;
    const last = revisions.at(-1);
    if (!first || !last) return [];
    const writer = this.#writer(last.number, false, first.scan.startedMs, last.scan.finishedMs);
    // What was traced can have a key twice in one revision.
    const isPlain = revisions.length === 1 && first.changes.writers.length === 0;
    const told = isPlain ? undefined : new KeyIndex(this.#layout.keySize);
    for (const { changes } of revisions.toReversed()) this.#tell(changes, writer, told);
    return writer.take();
  }

  /** Tells changes: in order, or where `told` is given from the last on, each key once. */
  #tell(changes: Changes, writer: EventWriter, told: KeyIndex | undefined): void {
    const { puts, deletes, writers } = changes;
    this.#each(puts, told, (index, keyAt) => {
      const at = index * this.#layout.valueStride;
      const previous = this.#previous(puts, index);
      if (previous && !told && this.#looksSame(puts.values, at, previous)) return;
      writer.put(puts.keys, keyAt, puts.values, at, previous, writers[index]);
    });
    this.#each(deletes, told, (index, keyAt) => {
      const previous = this.#previous(deletes, index);
      writer.delete(deletes.keys, keyAt, previous, writers[puts.count + index]);
    });
  }

  #writer(revision: number, initial: boolean, after: number, before: number): EventWriter {
    return new EventWriter(this.#layout, this.#options, this.valueStride, {
      revision,
      initial,
      seenAfterMs: after,
      seenBeforeMs: before,
    });
  }

  #each(
    side: ChangeColumns,
    told: KeyIndex | undefined,
    use: (index: number, keyAt: number) => void,
  ): void {
    for (let step = 0; step < side.count; step++) {
      const index = told ? side.count - 1 - step : step;
      const keyAt = index * this.#layout.keySize;
      if (this.#isChosen && !this.#isChosen(side.keys, keyAt)) continue;
      if (told) {
        const before = told.size;
        if (told.add(side.keys, keyAt) < before) continue;
      }
      use(index, keyAt);
    }
  }

  #previous({ previous, hasPrevious }: ChangeColumns, index: number): PlacedValue | undefined {
    if (hasPrevious[index] !== 1) return undefined;
    return { values: previous, at: index * this.#layout.valueStride };
  }

  /** Whether a change does not show in the stream's view of the value. */
  #looksSame(values: Buffer, at: number, previous: PlacedValue): boolean {
    if (!this.#options.cpuView || this.#options.keysOnly) return false;
    const copy = valueCopier(this.#layout, this.#options.cpuView);
    const [now, then] = [Buffer.alloc(this.valueStride), Buffer.alloc(this.valueStride)];
    copy(values, at, now, 0);
    copy(previous.values, previous.at, then, 0);
    return now.equals(then);
  }
}

interface PlacedValue {
  readonly values: Buffer;
  readonly at: number;
}

type EventFrame = Pick<WatchEvents, "revision" | "initial" | "seenAfterMs" | "seenBeforeMs">;

/** Writes changes into messages of about the same size. */
class EventWriter {
  readonly #keySize: number;
  readonly #stride: number;
  readonly #copyValue: ReturnType<typeof valueCopier>;
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
    previous?: PlacedValue,
    writer?: Writer,
  ): void {
    const message = this.#next();
    if (writer) message.putters.push(writer);
    message.puts++;
    message.putKeys.append(keys, keyAt, this.#keySize);
    this.#appendValue(message.values, values, at);
    this.#appendPrevious(message.putPrevious, message.putPresent, previous);
  }

  delete(keys: Buffer, keyAt: number, previous?: PlacedValue, writer?: Writer): void {
    const message = this.#next();
    if (writer) message.deleters.push(writer);
    message.deletes++;
    message.deleteKeys.append(keys, keyAt, this.#keySize);
    this.#appendPrevious(message.deletePrevious, message.deletePresent, previous);
  }

  take(): WatchEvents[] {
    if (this.#message.puts + this.#message.deletes > 0) this.#close();
    return this.#full;
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
      puts: { count: message.puts, keys: message.putKeys.bytes, values: message.values.bytes },
      deletes: { count: message.deletes, keys: message.deleteKeys.bytes },
      writers: message.writers,
      ...(this.#withPrevious && {
        previous: {
          values: Buffer.concat([message.putPrevious.bytes, message.deletePrevious.bytes]),
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

  #appendPrevious(
    column: GrowingColumn,
    present: boolean[],
    previous: PlacedValue | undefined,
  ): void {
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
