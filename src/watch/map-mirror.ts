import { clearHostBits, type ElementSource, type MapLayout, MapPicture } from "../maps/index.js";
import { ChangeLog, type Writer } from "./changes.js";
import type { ExactReader } from "./exact-reader.js";
import { Shadow } from "./shadow.js";
import { TouchedKeys } from "./touched-keys.js";

/**
 * How far the order of two walks is put in step again. An update by system call moves an
 * element inside its hash bucket, by a few places.
 */
const WINDOW = 64;

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
  readonly #shadow: Shadow;
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
    if (this.#isFirstWalk) {
      this.#shadow.insert(keys, values, 0, count);
      return;
    }
    this.#noteTouched(keys, values, count);
    for (let index = 0; index < count; ) {
      const matching = this.#shadow.countMatching(keys, index, count - index);
      if (matching > 0) {
        this.#shadow.pass(values, index, matching, (number, oldValues, oldAt) =>
          this.#tellPut(keys, values, number, { values: oldValues, at: oldAt }),
        );
      }
      index += matching;
      if (index < count) index += this.#resynchronise(keys, values, index, count);
    }
  }

  /** Ends the walk; answers what has changed: nothing for the first one. */
  finishWalk(reader: ExactReader): ChangeLog {
    this.#shadow.skip(this.#shadow.left, (...element) => this.#lose(...element));
    this.#tellFound();
    this.#confirmLost(reader);
    this.#shadow.finishWalk();
    this.#isFirstWalk = false;
    // What was told of a key meanwhile is newer than what the walk has met.
    if (!this.#touched.isEmpty) {
      this.#changes = this.#changes.without((keys, at) => !!this.#touched.find(keys, at));
    }
    this.#touched.finishWalk((keys, keyAt, { told, met }) => {
      const previous = told && { values: told, at: 0 };
      if (met && !(told && met.equals(told))) {
        this.#changes.put(keys, keyAt, { values: met, at: 0 }, previous);
      }
      if (!met && told && reader.read(keys, keyAt) === undefined) {
        this.#changes.delete(keys, keyAt, previous);
      }
    });
    return this.#changes;
  }

  /** Looks at keys that somebody says were written; answers what to tell of them. */
  look(keys: Buffer, reader: ExactReader): ChangeLog {
    const log = this.#newLog();
    const { keySize } = this.#layout;
    this.#normalise(keys, keys.length / keySize);
    const seen = this.#newPicture();
    for (let at = 0; at < keys.length; at += keySize) {
      const before = seen.size;
      if (seen.add(keys, at) < before) continue;
      const value = reader.read(keys, at);
      const touched = this.#touched.find(keys, at);
      const isTold = touched && (value ? touched.told?.equals(value) : !touched.told);
      if (isTold) continue;
      const previous = touched?.told && { values: touched.told, at: 0 };
      if (value) log.put(keys, at, { values: value, at: 0 }, previous);
      else log.delete(keys, at, previous);
      this.#touched.tell(keys, at, value);
    }
    return log;
  }

  /** Takes over what was traced, in order; answers it in logs of one kind of change each. */
  trace(records: readonly TracedChange[]): ChangeLog[] {
    const logs: ChangeLog[] = [];
    let isPut: boolean | undefined;
    for (const { key, value, writer } of records) {
      this.#normalise(key, 1);
      if (isPut !== (value !== undefined)) logs.push(this.#newLog());
      isPut = value !== undefined;
      const told = this.#touched.find(key, 0)?.told;
      const previous = told && { values: told, at: 0 };
      const log = logs.at(-1);
      if (value) log?.put(key, 0, { values: value, at: 0 }, previous, writer);
      else log?.delete(key, 0, previous, writer);
      this.#touched.tell(key, 0, value);
    }
    return logs;
  }

  /** Calls back for every element as it was told. */
  visit(use: (keys: Buffer, keyAt: number, values: Buffer, valueAt: number) => void): void {
    const { keySize, valueStride } = this.#layout;
    const { keys, values, count } = this.#shadow;
    for (let index = 0; index < count; index++) {
      if (this.#touched.find(keys, index * keySize)) continue;
      use(keys, index * keySize, values, index * valueStride);
    }
    this.#touched.visit((touchedKeys, at, told) => {
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
  #tellPut(
    keys: Buffer,
    values: Buffer,
    index: number,
    previous?: { values: Buffer; at: number },
  ): void {
    const { keySize, valueStride } = this.#layout;
    if (this.#touched.find(keys, index * keySize)) return;
    this.#changes.put(keys, index * keySize, { values, at: index * valueStride }, previous);
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

  /** What was found is new, or has moved from where it was lost. */
  #tellFound(): void {
    const { keySize, valueStride } = this.#layout;
    const { keys, values, size } = this.#found;
    for (let number = 0; number < size; number++) {
      const lost = this.#lost.find(keys, number * keySize);
      if (lost < 0) {
        this.#tellPut(keys, values, number);
      } else if (!this.#lost.hasValue(lost, values, number * valueStride)) {
        const previous = { values: this.#lost.values, at: lost * valueStride };
        this.#tellPut(keys, values, number, previous);
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
      if (value) {
        this.#shadow.insert(keys.subarray(keyAt), value, 0, 1);
        if (this.#lost.hasValue(number, value, 0)) continue;
        if (this.#touched.find(keys, keyAt)) continue;
        this.#changes.put(keys, keyAt, { values: value, at: 0 }, previous);
      } else if (!this.#touched.find(keys, keyAt)) {
        this.#changes.delete(keys, keyAt, previous);
      }
    }
  }
}
