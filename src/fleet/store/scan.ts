import type { Entry } from "./entry.js";
import type { RangeQuery, Store } from "./store.js";
import { compacted } from "./store-error.js";

/** Pages of values of 115 KiB, as the segments of a map set, stay below 8 MiB. */
const PAGE = 64;

/**
 * Reads a whole range page by page, all at one revision: that of the query or of the first page.
 * Throws what `range` throws; COMPACTED where a compaction overtakes it.
 * @param query its `limit` is the size of a page; default 64
 * @returns pages with the revision they are all read at
 */
export async function* scan(
  store: Pick<Store, "range">,
  query: RangeQuery,
  signal?: AbortSignal,
): AsyncGenerator<{ readonly revision: bigint; readonly entries: readonly Entry[] }> {
  const limit = query.limit ?? PAGE;
  let { from } = query.range;
  let { revision } = query;
  for (;;) {
    const page = { ...query, limit, revision, range: { from, to: query.range.to } };
    const answer = await store.range(page, { signal });
    revision ??= answer.revision;
    if (answer.entries.length > 0) yield { revision, entries: answer.entries };
    if (!answer.more) return;
    const last = answer.entries.at(-1);
    // A store that says there is more and gives none would be asked for ever.
    if (last === undefined) throw compacted(revision);
    from = `${last.key}\0`;
  }
}
