import type { Entry } from "../entry.js";
import type { KeyRange } from "../key-range.js";
import { LIMITS } from "../limits.js";
import type { RangeAnswer, RangeQuery } from "../store.js";
import { compacted, futureRevision, StoreError } from "../store-error.js";
import type { Engine } from "./engine.js";
import type { Version } from "./version.js";

/** Reads a range at one revision; see Store.range. */
export async function readRange(
  engine: Engine,
  { range, revision, limit = LIMITS.rangeEntries, keysOnly = false }: RangeQuery,
): Promise<RangeAnswer> {
  for (;;) {
    const current = engine.revision;
    const found = versionsAt(engine, range, revision, current);
    const told = found.slice(0, limit);
    const values = keysOnly ? told.map(() => new Uint8Array()) : await engine.disk.values(told);
    if (values.every((value) => value !== undefined)) {
      const entries = told.map((version, index) => entryOf(version, values[index]!));
      return { revision: current, entries, more: found.length > limit, count: found.length };
    }
    // A compaction that came meanwhile took values away: the newest are read anew.
    if (engine.history.compactRevision <= (revision ?? current)) throw valueMissing();
  }
}

/** An entry of a version and its value. */
export function entryOf(
  { key, revision: modRevision, createRevision, version, lease }: Version,
  value: Uint8Array,
): Entry {
  return { key, value, createRevision, modRevision, version, lease };
}

/** The error of a value that should be on the disk. */
export function valueMissing(): StoreError {
  return new StoreError("DAMAGED", "the embedded store lacks a value that it should have");
}

function versionsAt(
  { history }: Engine,
  range: KeyRange,
  revision: bigint | undefined,
  current: bigint,
): Version[] {
  if (revision !== undefined) {
    if (revision > current) throw futureRevision(revision, current);
    if (revision < history.compactRevision) throw compacted(revision, history.compactRevision);
  }
  return history.range(range, revision ?? current);
}
