import { KeyIndex } from "../maps/index.js";
import {
  type ChangeColumns,
  type Changes,
  type Previous,
  previousOf,
  type Writer,
} from "./changes.js";
import type { Revision } from "./history.js";
import type { KeyChooser } from "./watch-filter.js";

/** A change's place in the columns of its revision. */
interface Place {
  readonly changes: Changes;
  readonly isPut: boolean;
  readonly index: number;
}

/** What revisions together did to one key. */
export interface NetChange {
  /** The last change of the key. */
  readonly last: Place;
  /** What is known of the element before the first. */
  readonly previous: Previous;
}

/**
 * What revisions, oldest first, did to each key as if they were one: where it stood
 * before them, and its last change.
 */
export function* netChanges(
  revisions: readonly Revision[],
  keySize: number,
  stride: number,
  isChosen: KeyChooser | undefined,
): Generator<NetChange> {
  const [only] = revisions;
  // What was traced can have a key twice in one revision.
  if (only && revisions.length === 1 && only.changes.writers.length === 0) {
    yield* eachChange(only, keySize, stride, isChosen);
    return;
  }
  const keys = new KeyIndex(keySize);
  const firsts: Place[] = [];
  const lasts: Place[] = [];
  for (const { changes } of revisions) {
    for (const place of placesOf(changes, keySize, isChosen)) {
      const number = keys.add(sideOf(place).keys, place.index * keySize);
      firsts[number] ??= place;
      lasts[number] = place;
    }
  }
  for (const [number, last] of lasts.entries()) {
    yield { last, previous: previousAt(firsts[number] as Place, stride) };
  }
}

/** All changes of a revision, in order. */
export function* eachChange(
  { changes }: Revision,
  keySize: number,
  stride: number,
  isChosen: KeyChooser | undefined,
): Generator<NetChange> {
  for (const place of placesOf(changes, keySize, isChosen)) {
    yield { last: place, previous: previousAt(place, stride) };
  }
}

/** Who made a change, where that is known. */
export function writerOf({ changes, isPut, index }: Place): Writer | undefined {
  return changes.writers[isPut ? index : changes.puts.count + index];
}

/** The columns that a place is in. */
export function sideOf({ changes, isPut }: Place): ChangeColumns {
  return isPut ? changes.puts : changes.deletes;
}

function* placesOf(
  changes: Changes,
  keySize: number,
  isChosen: KeyChooser | undefined,
): Generator<Place> {
  for (const isPut of [true, false]) {
    const { count, keys } = isPut ? changes.puts : changes.deletes;
    for (let index = 0; index < count; index++) {
      if (isChosen && !isChosen(keys, index * keySize)) continue;
      yield { changes, isPut, index };
    }
  }
}

function previousAt(place: Place, stride: number): Previous {
  return previousOf(sideOf(place), place.index, stride);
}
