import { BatchSource } from "./batch-source.js";
import { KeySource } from "./key-source.js";
import { MemorySource } from "./memory-source.js";
import type { ScanTarget } from "./scan-target.js";
import type { StretchMemory } from "./stretch-memory.js";
import { TrieSource } from "./trie-source.js";

/** Why a walk did not see every element that stood still. */
export type Incomplete = "restarts" | "dedup_memory";

/** Counts of a walk, and whether it failed to be complete. */
export interface WalkStats {
  /** How often the kernel sent the walk back to the start. */
  restarts: number;
  /** Elements read again after that and left out. */
  duplicatesDropped: number;
  /** Set where the walk had to end before it was complete. */
  incomplete?: Incomplete | undefined;
}

/**
 * A walk over all elements of a map, in stretches. Elements that stand still while it
 * lasts are seen exactly once unless {@link WalkStats.incomplete} says otherwise.
 */
export interface ElementSource {
  /**
   * Reads the next stretch, in one go of bounded length; false at the end. A stretch may
   * be empty. The columns are valid until the next call.
   */
  next(): boolean;
  /** Elements of the stretch. */
  readonly count: number;
  /** Column of their keys; may be longer than they are. */
  readonly keys: Buffer;
  /** Column of their values, of the map's stride; may be longer than they are. */
  readonly values: Buffer;
  readonly stats: WalkStats;
  /** Gives the memory back. */
  release(): void;
}

/** What a walk may cost. */
export interface WalkOptions {
  /** About how many elements a stretch should have. */
  readonly stretch: number;
  /** Memory for stretches to be read into, for walks that can. */
  readonly memory?: StretchMemory | undefined;
  /** Bytes for telling duplicates where the kernel walks by key. */
  readonly dedupMemoryBytes: number;
  /** Restarts before the walk gives up. */
  readonly maxRestarts: number;
}

/** Restarts before a walk gives up, unless something else makes sure that it ends. */
export const MAX_RESTARTS = 100;

/** The best walk that this kernel has for the map. */
export function openSource(target: ScanTarget, options: WalkOptions): ElementSource {
  const memory = target.isMappable ? MemorySource.open(target, options) : undefined;
  if (memory) return memory;
  if (!target.lookupBatch) return new KeySource(target, options);
  return target.keyKind === "prefix"
    ? new TrieSource(target, options)
    : new BatchSource(target, options);
}
