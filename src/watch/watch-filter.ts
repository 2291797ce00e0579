import {
  type Chooser,
  checkFilter,
  checkKey,
  checkKeys,
  checkKeysInRange,
  clearHostBits,
  compileFilter,
  fieldError,
  KeyIndex,
  type MapLayout,
} from "../maps/index.js";
import type { WatchFilter } from "./watch-request.js";

/** Whether the key at a place of a column is watched. */
export type KeyChooser = (keys: Buffer, at: number) => boolean;

const NOTHING = Buffer.alloc(0);

/** Refuses a filter that does not fit the map. */
export function checkWatchFilter(
  filter: WatchFilter | undefined,
  layout: MapLayout,
  keyKind: string,
): void {
  if (!filter) return;
  checkFilter({ keyPrefix: filter.keyPrefix, keyRange: filter.keyRange }, layout);
  if (filter.keys) {
    checkKeys(filter.keys, Math.ceil(filter.keys.length / layout.keySize), layout, "filter.keys");
    checkKeysInRange(filter.keys, layout, keyKind, "filter.keys");
  }
  if (!filter.coveredBy) return;
  if (keyKind !== "prefix") {
    throw fieldError(
      "FIELD_INVALID",
      "filter.covered_by",
      "only the keys of an LPM_TRIE cover others",
    );
  }
  checkKey(filter.coveredBy, layout, "filter.covered_by");
  checkKeysInRange(filter.coveredBy, layout, keyKind, "filter.covered_by");
}

/** The chooser that a filter is; undefined where it chooses everything. */
export function compileWatchFilter(
  filter: WatchFilter | undefined,
  layout: MapLayout,
  keyKind: string,
): KeyChooser | undefined {
  const parts: KeyChooser[] = [];
  const byBytes: Chooser | undefined = compileFilter(
    { keyPrefix: filter?.keyPrefix, keyRange: filter?.keyRange },
    layout,
    keyKind,
  );
  if (byBytes) parts.push((keys, at) => byBytes(keys, at, NOTHING, 0));
  if (filter?.keys) parts.push(memberOf(filter.keys, layout, keyKind));
  if (filter?.coveredBy) parts.push(coveredBy(filter.coveredBy));
  return parts.length === 0 ? undefined : (keys, at) => parts.every((part) => part(keys, at));
}

function memberOf(keys: Uint8Array, layout: MapLayout, keyKind: string): KeyChooser {
  const column = Buffer.from(keys);
  const members = new KeyIndex(layout.keySize);
  for (let at = 0; at < column.length; at += layout.keySize) {
    if (keyKind === "prefix") clearHostBits(column, at, layout.keySize);
    members.add(column, at);
  }
  return (candidates, at) => members.find(candidates, at) >= 0;
}

function coveredBy(cover: Uint8Array): KeyChooser {
  const prefix = Buffer.from(cover);
  const length = prefix.readUInt32LE(0);
  const whole = length >> 3;
  const mask = (0xff00 >> (length & 7)) & 0xff;
  return (keys, at) => {
    if (keys.readUInt32LE(at) < length) return false;
    if (keys.compare(prefix, 4, 4 + whole, at + 4, at + 4 + whole) !== 0) return false;
    const offset = 4 + whole;
    return mask === 0 || ((keys[at + offset] ?? 0) & mask) === ((prefix[offset] ?? 0) & mask);
  };
}
