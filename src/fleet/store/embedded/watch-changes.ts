import type { Clock } from "../../clock.js";
import type { WatchBatch, WatchEvent, WatchQuery } from "../store.js";
import { compacted, StoreError } from "../store-error.js";
import type { Engine } from "./engine.js";
import { entryOf, valueMissing } from "./read-range.js";

/** Events of a batch, not counting what else their last revision has. */
const ENOUGH = 64;
const AFTER_FAILURE_MS = 500;

/**
 * Tells changes of a range; see Store.watch. It holds a place in the history and no queue: a
 * reader that is slow costs nothing, and one that compaction overtakes is told so.
 */
export async function* watchChanges(
  engine: Engine,
  query: WatchQuery,
  clock: Clock,
): AsyncGenerator<WatchBatch> {
  const { signal, onInterrupted } = query;
  const aborted = untilAborted(signal);
  try {
    // There are no changes at revision 1.
    let next = query.from > 2n ? query.from : 2n;
    while (!aborted.isOver()) {
      const news = engine.bell.next;
      try {
        await engine.usable();
        const batch = await changesSince(engine, query.range, next);
        if (batch === undefined) continue;
        next = batch.revision + 1n;
        if (batch.events.length > 0) yield batch;
        else await Promise.race([news, aborted.promise]);
      } catch (error) {
        if (!isPassing(error)) throw error;
        onInterrupted?.(error);
        await Promise.race([clock.sleep(AFTER_FAILURE_MS), aborted.promise]);
      }
    }
  } finally {
    aborted.release();
  }
}

/** Undefined where a compaction came meanwhile, so that it has to be looked at anew. */
async function changesSince(
  engine: Engine,
  range: WatchQuery["range"],
  from: bigint,
): Promise<WatchBatch | undefined> {
  const { history, revision } = engine;
  if (from <= history.compactRevision) throw compacted(from, history.compactRevision);
  const versions = history.since(range, from, revision, ENOUGH);
  const last = versions.at(-1);
  if (last === undefined) return { revision: from > revision ? from - 1n : revision, events: [] };
  const values = await engine.disk.values(versions.filter(({ deleted }) => !deleted));
  if (values.includes(undefined)) {
    if (engine.history.compactRevision < versions[0]!.revision) throw valueMissing();
    return undefined;
  }
  let index = 0;
  const events = versions.map((version): WatchEvent => {
    if (version.deleted) return { type: "delete", key: version.key, modRevision: version.revision };
    return { type: "put", entry: entryOf(version, values[index++]!) };
  });
  return { revision: last.revision, events };
}

/** Whether the watch may go on when the disk does. */
function isPassing(error: unknown): error is StoreError {
  return error instanceof StoreError && ["UNAVAILABLE", "NO_SPACE"].includes(error.code);
}

/** A promise for a signal that may live long: without the listener after `release`. */
function untilAborted(signal: AbortSignal | undefined): {
  readonly promise: Promise<void>;
  readonly isOver: () => boolean;
  readonly release: () => void;
} {
  let abort = () => {};
  const promise = new Promise<void>((resolve) => {
    abort = resolve;
  });
  signal?.addEventListener("abort", abort, { once: true });
  return {
    promise,
    isOver: () => signal?.aborted ?? false,
    release: () => signal?.removeEventListener("abort", abort),
  };
}
