import { type Entry, type Store, StoreError, scan } from "../store/index.js";
import { rolloutKeys } from "./rollout-keys.js";
import { decodeRollout } from "./rollout-state.js";
import type { StoredRollout } from "./rollouts.js";

/** What became of a set's rollout. */
export type RolloutChange =
  | { readonly type: "put"; readonly set: string; readonly rollout: StoredRollout }
  | { readonly type: "deleted"; readonly set: string }
  /** A newer version has written it, or it is broken: it stays as it was known. */
  | { readonly type: "unreadable"; readonly set: string; readonly error: Error };

/** Told while a watch goes on by itself. */
export interface RolloutWatchOptions {
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined;
  readonly onInterrupted?: (error: Error) => void;
}

/**
 * The rollouts of all sets, in the first batch, and from then on their changes, also over times
 * at which the store was away or had forgotten its history. Throws UNAUTHENTICATED,
 * PERMISSION_DENIED, CLOSED, and what the first read does.
 */
export async function* watchRollouts(
  store: Store,
  options: RolloutWatchOptions = {},
): AsyncGenerator<readonly RolloutChange[]> {
  let known = new Set<string>();
  while (!options.signal?.aborted) {
    try {
      const { changes, revision } = await readAll(store, options.signal);
      const found = new Set(changes.map(({ set }) => set));
      const gone = [...known].filter((set) => !found.has(set));
      known = found;
      yield [...changes, ...gone.map((set) => ({ type: "deleted", set }) as const)];
      yield* follow(store, revision + 1n, known, options);
      return;
    } catch (error) {
      if (options.signal?.aborted) return;
      if (!isForgotten(error)) throw error;
      options.onInterrupted?.(error);
    }
  }
}

async function readAll(store: Store, signal: AbortSignal | undefined) {
  const range = rolloutKeys.states();
  const changes: RolloutChange[] = [];
  const { revision } = await store.range({ range, limit: 1, keysOnly: true }, { signal });
  for await (const { entries } of scan(store, { range, revision }, signal)) {
    changes.push(...entries.map(changeOf));
  }
  return { changes, revision };
}

async function* follow(
  store: Store,
  from: bigint,
  known: Set<string>,
  options: RolloutWatchOptions,
): AsyncGenerator<readonly RolloutChange[]> {
  const { onInterrupted, signal } = options;
  const query = { range: rolloutKeys.states(), from, ...(onInterrupted && { onInterrupted }) };
  for await (const { events } of store.watch({ ...query, ...(signal && { signal }) })) {
    const changes = events.map((event): RolloutChange => {
      if (event.type === "put") return changeOf(event.entry);
      return { type: "deleted", set: rolloutKeys.setOf(event.key) };
    });
    for (const { type, set } of changes) {
      if (type === "deleted") known.delete(set);
      else known.add(set);
    }
    if (changes.length > 0) yield changes;
  }
}

function changeOf({ key, value, modRevision }: Entry): RolloutChange {
  const set = rolloutKeys.setOf(key);
  try {
    return { type: "put", set, rollout: { state: decodeRollout(value), modRevision } };
  } catch (error) {
    return { type: "unreadable", set, error: error as Error };
  }
}

function isForgotten(error: unknown): error is StoreError {
  return (
    error instanceof StoreError && (error.code === "COMPACTED" || error.code === "HISTORY_LOST")
  );
}
