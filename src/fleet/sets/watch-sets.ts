import { type Entry, LIMITS, type Store, StoreError, scan } from "../store/index.js";
import { decodeManifest, type Manifest } from "./manifest.js";
import { setKeys } from "./set-keys.js";

/** What became of a set. */
export type SetChange =
  | {
      readonly type: "put";
      readonly name: string;
      readonly manifest: Manifest;
      /** The store's revision that wrote it. */
      readonly modRevision: bigint;
    }
  | { readonly type: "deleted"; readonly name: string }
  /** A newer version has written it, or it is broken: it stays as it was known. */
  | {
      readonly type: "unreadable";
      readonly name: string;
      readonly error: Error;
      readonly modRevision: bigint;
    };

/** What the store has of sets now, whatever a watch has told. */
export interface PresentSets {
  /** When it was so. */
  readonly revision: bigint;
  /** Revisions of the manifests, by name. */
  readonly sets: ReadonlyMap<string, bigint>;
}

/** Reads which sets there are, and how new they are. */
export async function presentSets(store: Store, signal?: AbortSignal): Promise<PresentSets> {
  const sets = new Map<string, bigint>();
  const range = setKeys.manifests();
  let { revision } = await store.range({ range, limit: 1, keysOnly: true }, { signal });
  const query = { range, keysOnly: true, limit: LIMITS.rangeEntries };
  for await (const page of scan(store, query, signal)) {
    revision = page.revision;
    for (const { key, modRevision } of page.entries) {
      sets.set(setKeys.nameOfManifest(key), modRevision);
    }
  }
  return { revision, sets };
}

/** Told while a watch goes on by itself. */
export interface SetWatchOptions {
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
  readonly onInterrupted?: (error: Error) => void;
}

/**
 * All sets, in the first batch, and from then on their changes, also over times at which the
 * store was away or had forgotten its history. Of a set that changes fast only the newest may be
 * told. Throws UNAUTHENTICATED, PERMISSION_DENIED, CLOSED.
 */
export async function* watchSets(
  store: Store,
  options: SetWatchOptions = {},
): AsyncGenerator<readonly SetChange[]> {
  /** Revisions of the manifests that were told. */
  const told = new Map<string, bigint>();
  for (let isFirst = true; !options.signal?.aborted; isFirst = false) {
    try {
      const { revision, changes } = await readAnew(store, told, options.signal);
      if (isFirst || changes.length > 0) yield changes;
      yield* follow(store, revision + 1n, told, options);
      return;
    } catch (error) {
      if (options.signal?.aborted) return;
      if (!isForgotten(error)) throw error;
      options.onInterrupted?.(error);
    }
  }
}

async function* follow(
  store: Store,
  from: bigint,
  told: Map<string, bigint>,
  options: SetWatchOptions,
): AsyncGenerator<readonly SetChange[]> {
  for await (const { events } of store.watch({ ...options, range: setKeys.manifests(), from })) {
    const newest = new Map<string, SetChange>();
    for (const event of events) {
      const key = event.type === "put" ? event.entry.key : event.key;
      const name = setKeys.nameOfManifest(key);
      // The last place is the newest change's.
      newest.delete(name);
      if (event.type === "put") {
        told.set(name, event.entry.modRevision);
        newest.set(name, changeOf(name, event.entry));
      } else {
        told.delete(name);
        newest.set(name, { type: "deleted", name });
      }
    }
    if (newest.size > 0) yield [...newest.values()];
  }
}

/** Sets that are other than they were told, at one revision. */
async function readAnew(store: Store, told: Map<string, bigint>, signal?: AbortSignal) {
  const changes: SetChange[] = [];
  const gone = new Set(told.keys());
  const range = setKeys.manifests();
  const { revision } = await store.range({ range, limit: 1, keysOnly: true }, { signal });
  for await (const { entries } of scan(store, { range, revision }, signal)) {
    for (const entry of entries) {
      const name = setKeys.nameOfManifest(entry.key);
      const { modRevision } = entry;
      gone.delete(name);
      if (told.get(name) === modRevision) continue;
      told.set(name, modRevision);
      changes.push(changeOf(name, entry));
    }
  }
  for (const name of gone) {
    told.delete(name);
    changes.push({ type: "deleted", name });
  }
  return { revision, changes };
}

function changeOf(name: string, { value, modRevision }: Entry): SetChange {
  try {
    return { type: "put", name, manifest: decodeManifest(value), modRevision };
  } catch (error) {
    return { type: "unreadable", name, error: error as Error, modRevision };
  }
}

function isForgotten(error: unknown): error is StoreError {
  return (
    error instanceof StoreError && (error.code === "COMPACTED" || error.code === "HISTORY_LOST")
  );
}
