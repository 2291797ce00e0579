/** Keys from `from` on, up to but not including `to`, in the order of their characters. */
export interface KeyRange {
  /** "" for the first key that can be. ASCII. */
  readonly from: string;
  /** Greater than `from`. ASCII. */
  readonly to: string;
}

/** Every key. */
export const ALL_KEYS: KeyRange = { from: "", to: "\x7f" };

/** The range of one key. */
export function oneKey(key: string): KeyRange {
  return { from: key, to: `${key}\0` };
}

/** The range of the keys that begin with `prefix`, which follows the rules of keys or is "". */
export function keysUnder(prefix: string): KeyRange {
  if (prefix === "") return ALL_KEYS;
  // Keys end below "\x7f", so the last character has a successor.
  const last = prefix.charCodeAt(prefix.length - 1);
  return { from: prefix, to: prefix.slice(0, -1) + String.fromCharCode(last + 1) };
}

/** Whether the range has this key in it. */
export function hasKey({ from, to }: KeyRange, key: string): boolean {
  return from <= key && key < to;
}
