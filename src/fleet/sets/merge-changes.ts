import { ColumnBuilder } from "./column-builder.js";
import {
  type Changes,
  compareKeys,
  type ElementSizes,
  type Elements,
  firstNotBefore,
  sliceElements,
} from "./elements.js";

/** No changes. */
export function noChanges(): Changes {
  const none = new Uint8Array(0);
  return { count: 0, keys: none, values: none, removed: none };
}

/** Changes whose keys follow one another as one. */
export function joinChanges(inOrder: readonly Changes[]): Changes {
  if (inOrder.length === 1) return inOrder[0]!;
  const column = (of: (one: Changes) => Uint8Array) => Buffer.concat(inOrder.map(of));
  return {
    count: inOrder.reduce((sum, { count }) => sum + count, 0),
    keys: column(({ keys }) => keys),
    values: column(({ values }) => values),
    removed: column(({ removed }) => removed),
  };
}

/** Both changes as one; of a key in both, the newer. */
export function mergeChanges(sizes: ElementSizes, older: Changes, newer: Changes): Changes {
  if (older.count === 0) return newer;
  if (newer.count === 0) return older;
  const { keySize } = sizes;
  const merged = new ColumnBuilder(sizes, older.count + newer.count);
  let at = 0;
  for (let index = 0; index < newer.count; index++) {
    const next = firstNotBefore(older, newer.keys, index * keySize, keySize, at);
    merged.addRange(older, at, next);
    merged.addOne(newer, index);
    at = hasKeyAt(older, next, newer, index, keySize) ? next + 1 : next;
  }
  merged.addRange(older, at, older.count);
  return merged.take();
}

/** Changes one after the other as one; in pairs, so that each is copied few times. */
export function mergeAllChanges(sizes: ElementSizes, inOrder: readonly Changes[]): Changes {
  let round = inOrder;
  while (round.length > 1) {
    const next: Changes[] = [];
    for (let index = 0; index < round.length; index += 2) {
      const [older, newer] = [round[index]!, round[index + 1]];
      next.push(newer === undefined ? older : mergeChanges(sizes, older, newer));
    }
    round = next;
  }
  return round[0] ?? noChanges();
}

/**
 * Sorted elements with the changes `from` up to, not including, `to` made to them. What has none
 * is not copied.
 */
export function applyChanges(
  sizes: ElementSizes,
  elements: Elements,
  changes: Changes,
  from: number,
  to: number,
): Elements {
  if (from >= to) return elements;
  const { keySize } = sizes;
  const changed = new ColumnBuilder(sizes, elements.count + to - from);
  let at = 0;
  for (let index = from; index < to; index++) {
    const next = firstNotBefore(elements, changes.keys, index * keySize, keySize, at);
    changed.addRange(elements, at, next);
    if (!changes.removed[index]) changed.addOne(changes, index);
    at = hasKeyAt(elements, next, changes, index, keySize) ? next + 1 : next;
  }
  changed.addRange(elements, at, elements.count);
  const { count, keys, values } = changed.take();
  return sliceElements({ count, keys, values }, sizes, 0, count);
}

function hasKeyAt(
  column: Elements,
  index: number,
  other: Elements,
  otherIndex: number,
  keySize: number,
): boolean {
  if (index >= column.count) return false;
  const order = compareKeys(
    column.keys,
    index * keySize,
    other.keys,
    otherIndex * keySize,
    keySize,
  );
  return order === 0;
}
