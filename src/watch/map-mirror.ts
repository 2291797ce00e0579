import {
  arrayKeys,
  clearHostBits,
  type ElementSource,
  indexAt,
  KeyIndex,
  type MapLayout,
  MapPicture,
} from "../maps/index.js";
import { ChangeLog, type Previous, type ValueAt, type Writer } from "./changes.js";
import type { ExactReader } from "./exact-reader.js";
import { Shadow } from "./shadow.js";
import { type Touched, TouchedKeys } from "./touched-keys.js";

/**
 * How far the order of two walks is put in step again. An update by system call moves an
 * element inside its hash bucket, by a few places.
 */
const WINDOW = 64;

/** The values of an array where they lie, which are written meanwhile. */
export interface ValuesInPlace {
  readonly bytes: Buffer;
  /** Bytes from one value to the next. */
  readonly stride: number;
}

/** A put, or a delete where there is no value, that was traced. */
export interface TracedChange {
  readonly key: Buffer;
  readonly value: Buffer | undefined;
  readonly writer: Writer;
}

/**
 * What subscribers were told that a map holds, and how a walk over the map turns into
 * the changes to tell next.
 */
export class MapMirror {
  readonly #layout: MapLayout;
  readonly #keyKind: string;
  #shadow: Shadow;
  readonly #touched: TouchedKeys;
  /** The first walk sees the contents, not changes. */
  #isFirstWalk = true;
  #changes: ChangeLog;
  /** Elements of this walk whose place in the shadow is not known yet. */
  #found: MapPicture;
  /** Elements of the shadow that this walk has not met where they were. */
  #lost: MapPicture;

  constructor(layout: MapLayout, keyKind: string) {
    this.#layout = layout;
    this.#keyKind = keyKind;
    this.#shadow = new Shadow(layout.keySize, layout.valueStride);
    this.#touched = new TouchedKeys(layout.keySize);
    this.#changes = this.#newLog();
    this.#found = this.#newPicture();
    this.#lost = this.#newPicture();
  }

  /** Bytes of memory that the picture of the map takes. */
  get bytes(): number {
    return this.#shadow.bytes;
  }

  /** Gives the memory back. */
  release(): void {
    this.#shadow.release();
  }

  /** Starts a walk over the whole map. */
  startWalk(): void {
    this.#shadow.startWalk();
    this.#touched.startWalk();
    this.#changes = this.#newLog();
    this.#found = this.#newPicture();
    this.#lost = this.#newPicture();
  }

  /** Compares a stretch of the walk. */
  meet(source: ElementSource): void {
    const { keys, values, count } = source;
    this.#normalise(keys, count);
    this.#noteTouched(keys, values, count);
    if (this.#isFirstWalk) {
      this.#shadow.insert(keys, values, 0, count);
      return;
    }
    for (let index = 0; index < count; ) {
      const matching = this.#shadow.countMatching(keys, index, count - index);
      if (matching > 0) {
        this.#shadow.pass(values, index, matching, (number, value, before) =>
          this.#tellPut(keys, number, { values: value, at: 0 }, before),
        );
      }
      index += matching;
      if (index < count) index += this.#resynchronise(keys, values, index, count);
    }
  }

  /**
   * Compares a stretch of an array's elements with their values where they lie. All walks
   * over one map are of this kind, or none.
   */
  meetInPlace(memory: ValuesInPlace, from: number, count: number): void {
    const { keySize, valueSize, maxEntries } = this.#layout;
    if (this.#isFirstWalk) {
      if (from === 0) this.#shadow = new Shadow(keySize, valueSize, memory.stride);
      const values = memory.bytes.subarray(from * memory.stride);
      this.#shadow.insert(arrayKeys(from, count), values, 0, count);
    } else {
      this.#shadow.pass(memory.bytes, from, count, (number, value, before) =>
        this.#tellPut(arrayKeys(number, 1), 0, { values: value, at: 0 }, before),
      );
    }
    if (from + count === maxEntries) this.#noteTouchedInPlace();
  }

  /** Ends the walk; answers what has changed: nothing for the first one. */
  finishWalk(reader: ExactReader): ChangeLog {
    this.#shadow.skip(this.#shadow.left, (...element) => this.#lose(...element));
    this.#tellFound();
    this.#forgetOvertaken();
    this.#confirmLost(reader);
    this.#lookForTouched(reader);
    this.#shadow.finishWalk();
    this.#isFirstWalk = false;
    this.#touched.finishWalk((keys, keyAt, { told, met }) => {
      const previous = told ? { values: told, at: 0 } : "absent";
      if (met && !(told && met.equals(told))) {
        this.#changes.put(keys, keyAt, { values: met, at: 0 }, previous);
      }
      if (!met && told) this.#changes.delete(keys, keyAt, previous);
    });
    return this.#changes;
  }

  /**
   * Looks at keys that somebody says were written, by `writers` where they are known, one
   * for each key; answers what to tell of them. Where `deletesAreTraced`, an element that
   * was put and is gone was deleted by a call, which the trace has told or will tell itself.
   */
  look(
    keys: Buffer,
    reader: ExactReader,
    writers: readonly Writer[] = [],
    deletesAreTraced = false,
  ): ChangeLog {
    const log = this.#newLog();
    const { keySize } = this.#layout;
    this.#normalise(keys, keys.length / keySize);
    const seen = this.#newPicture();
    // From the end, as the last writer of a key is who wrote what is there.
    for (let at = keys.length - keySize; at >= 0; at -= keySize) {
      const writer = writers[at / keySize];
      const before = seen.size;
      if (seen.add(keys, at) < before) continue;
      const value = reader.read(keys, at);
      if (!value && writer && deletesAreTraced) continue;
      const touched = this.#touched.find(keys, at);
      const isTold = touched && (value ? touched.told?.equals(value) : !touched.told);
      if (isTold) continue;
      const previous = toldBefore(touched);
      if (value) log.put(keys, at, { values: value, at: 0 }, previous, writer);
      else log.delete(keys, at, previous, writer);
      this.#touched.tell(keys, at, value);
    }
    return log;
  }

  /**
   * Takes over what was traced, in order; answers it in logs. A log has no order between
   * its puts and its deletes, so none has both of one key.
   */
  trace(records: readonly TracedChange[]): ChangeLog[] {
    const logs: ChangeLog[] = [];
    const keys = new KeyIndex(this.#layout.keySize);
    const lasts: { readonly log: ChangeLog; readonly isPut: boolean }[] = [];
    for (const { key, value, writer } of records) {
      this.#normalise(key, 1);
      const isPut = value !== undefined;
      const number = keys.add(key, 0);
      const last = lasts[number];
      let log = logs.at(-1);
      if (!log || (last?.log === log && last.isPut !== isPut)) {
        log = this.#newLog();
        logs.push(log);
      }
      lasts[number] = { log, isPut };
      const previous = toldBefore(this.#touched.find(key, 0));
      if (value) log.put(key, 0, { values: value, at: 0 }, previous, writer);
      else log.delete(key, 0, previous, writer);
      this.#touched.tell(key, 0, value);
    }
    return logs;
  }

  /** Calls back for every element as it was told. */
  visit(use: (keys: Buffer, keyAt: number, values: Buffer, valueAt: number) => void): void {
    const { keySize } = this.#layout;
    const { keys, values, count, stride } = this.#shadow;
    for (let index = 0; index < count; index++) {
      if (this.#touched.find(keys, index * keySize)) continue;
      use(keys, index * keySize, values, index * stride);
    }
    this.#touched.visit((touchedKeys, at, { told }) => {
      if (told) use(touchedKeys, at, told, 0);
    });
  }

  #newLog(): ChangeLog {
    return new ChangeLog(this.#layout.keySize, this.#layout.valueStride);
  }

  #newPicture(): MapPicture {
    return new MapPicture(this.#layout, this.#keyKind);
  }

  /** A trie keeps whatever bits it was given past a prefix; as keys they are the same. */
  #normalise(keys: Buffer, count: number): void {
    if (this.#keyKind !== "prefix") return;
    const { keySize } = this.#layout;
    for (let index = 0; index < count; index++) clearHostBits(keys, index * keySize, keySize);
  }

  /** Tells a put unless the key was touched, which is settled at the walk's end. */
  #tellPut(keys: Buffer, index: number, value: ValueAt, previous: Previous): void {
    const { keySize } = this.#layout;
    if (this.#touched.find(keys, index * keySize)) return;
    this.#changes.put(keys, index * keySize, value, previous);
  }

  #noteTouched(keys: Buffer, values: Buffer, count: number): void {
    if (this.#touched.isEmpty) return;
    const { keySize, valueStride } = this.#layout;
    for (let index = 0; index < count; index++) {
      const touched = this.#touched.find(keys, index * keySize);
      if (!touched) continue;
      touched.met = Buffer.from(values.subarray(index * valueStride, (index + 1) * valueStride));
    }
  }

  /** What the walk has met is what it took: not what lies there by now. */
  #noteTouchedInPlace(): void {
    const { values, stride } = this.#shadow;
    this.#touched.visit((keys, keyAt, touched) => {
      const at = indexAt(keys, keyAt) * stride;
      touched.met = Buffer.from(values.subarray(at, at + this.#layout.valueStride));
    });
  }

  /** Puts walk and shadow in step again; answers how many elements of the walk it took. */
  #resynchronise(keys: Buffer, values: Buffer, index: number, count: number): number {
    if (this.#shadow.left === 0) {
      this.#find(keys, values, index, count - index);
      return count - index;
    }
    for (let distance = 1; distance <= WINDOW; distance++) {
      if (this.#shadow.isKeyAhead(distance, keys, index)) {
        this.#shadow.skip(distance, (...element) => this.#lose(...element));
        return 0;
      }
      if (index + distance < count && this.#shadow.isKeyAhead(0, keys, index + distance)) {
        this.#find(keys, values, index, distance);
        return distance;
      }
    }
    this.#find(keys, values, index, 1);
    this.#shadow.skip(1, (...element) => this.#lose(...element));
    return 1;
  }

  #find(keys: Buffer, values: Buffer, from: number, count: number): void {
    const { keySize, valueStride } = this.#layout;
    for (let index = from; index < from + count; index++) {
      const number = this.#found.add(keys, index * keySize);
      this.#found.setValue(number, values, index * valueStride);
    }
    this.#shadow.insert(keys, values, from, count);
  }

  #lose(keys: Buffer, keyAt: number, values: Buffer, valueAt: number): void {
    this.#lost.setValue(this.#lost.add(keys, keyAt), values, valueAt);
  }

  /** What the walk found first and a look told meanwhile is not told again. */
  #forgetOvertaken(): void {
    if (this.#touched.isEmpty) return;
    const isTouched = (keys: Buffer, at: number) => this.#touched.find(keys, at) !== undefined;
    this.#changes = this.#changes.withoutPuts(isTouched);
  }

  /** What was found is new, or has moved from where it was lost. */
  #tellFound(): void {
    const { keySize, valueStride } = this.#layout;
    const { keys, values, size } = this.#found;
    for (let number = 0; number < size; number++) {
      const lost = this.#lost.find(keys, number * keySize);
      if (lost < 0) {
        this.#tellPut(keys, number, { values, at: number * valueStride }, "absent");
      } else if (!this.#lost.hasValue(lost, values, number * valueStride)) {
        const previous = { values: this.#lost.values, at: lost * valueStride };
        this.#tellPut(keys, number, { values, at: number * valueStride }, previous);
      }
    }
  }

  /**
   * What was lost is deleted if the map says so: a walk under change can pass over keys.
   */
  #confirmLost(reader: ExactReader): void {
    const { keySize, valueStride } = this.#layout;
    const { keys, values, size } = this.#lost;
    for (let number = 0; number < size; number++) {
      const keyAt = number * keySize;
      if (this.#found.find(keys, keyAt) >= 0) continue;
      const previous = { values, at: number * valueStride };
      const value = reader.read(keys, keyAt);
      const touched = this.#touched.find(keys, keyAt);
      if (value) this.#shadow.insert(keys.subarray(keyAt), value, 0, 1);
      if (touched) {
        touched.met = value && Buffer.from(value);
      } else if (!value) {
        this.#changes.delete(keys, keyAt, previous);
      } else if (!this.#lost.hasValue(number, value, 0)) {
        this.#changes.put(keys, keyAt, { values: value, at: 0 }, previous);
      }
    }
  }

  /** What was touched and not met is not there, if the map says so; otherwise it is met. */
  #lookForTouched(reader: ExactReader): void {
    this.#touched.visit((keys, keyAt, touched) => {
      if (touched.met || !touched.isOld) return;
      const value = reader.read(keys, keyAt);
      if (!value) return;
      this.#shadow.insert(keys.subarray(keyAt), value, 0, 1);
      touched.met = Buffer.from(value);
    });
  }
}

/** What was told of a key, as far as it is known without the shadow. */
function toldBefore(touched: Touched | undefined): Previous {
  if (!touched) return undefined;
  return touched.told ? { values: touched.told, at: 0 } : "absent";
}
