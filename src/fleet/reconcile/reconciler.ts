import { type Changes, type Contents, layersSince, type Manifest } from "../sets/index.js";
import { droppedKeys } from "./dropped-keys.js";
import type { HostState, SetRecord } from "./host-state.js";
import type { SegmentLibrary } from "./segment-library.js";
import {
  type Difference,
  FullError,
  type Keys,
  type TargetFacts,
  type TargetMap,
} from "./target-map.js";

/** What an application led to. */
export interface Application {
  readonly facts: TargetFacts;
  /** Whether only what had changed was written, without a look at the rest of the map. */
  readonly isDelta: boolean;
}

/** What a verification found. */
export interface Verification {
  readonly facts: TargetFacts;
  readonly found: Difference;
  /** Whether what was found has been repaired. */
  readonly isRepaired: boolean;
}

/** A set cannot be what the map is to have; nothing was changed. */
export class UnfitError extends Error {
  override readonly name = "UnfitError";
}

/** Brings one set into one map, and keeps it there. One step at a time. */
export class Reconciler {
  readonly #name: string;
  readonly #library: SegmentLibrary;
  readonly #state: HostState;
  #record: SetRecord | undefined;

  /** @param record what an earlier process remembered of the set */
  constructor(
    name: string,
    library: SegmentLibrary,
    state: HostState,
    record: SetRecord | undefined,
  ) {
    this.#name = name;
    this.#library = library;
    this.#state = state;
    this.#record = record;
  }

  /** The generation that is in the map; undefined where it may have another, or a mixture. */
  get applied(): Manifest | undefined {
    return this.#record?.applied;
  }

  /** Manifests whose segments are still needed. */
  get written(): readonly Manifest[] {
    return this.#record?.written ?? [];
  }

  /**
   * Brings a generation into the map. Nothing is changed before all of it is here and is known to
   * fit: throws an UnfitError where it does not.
   */
  async apply(map: TargetMap, manifest: Manifest, signal: AbortSignal): Promise<Application> {
    const facts = await map.describe(signal);
    checkFits(manifest, facts);
    return this.#library.with(manifest, async (contents) => {
      if (this.#record?.identity !== facts.identity) this.#record = undefined;
      const isDelta = await this.#follow(map, manifest, contents, facts, signal);
      if (!isDelta) {
        await this.#library.complete(manifest, signal);
        if (manifest.ownership !== "exclusive") await checkRoom(map, contents, facts, signal);
        await this.#remember(facts, [...this.#others(manifest), manifest], undefined);
        await this.#write(map, manifest, contents, signal);
      }
      const { identity, label } = await map.describe(signal);
      if (identity !== facts.identity) throw new Error(`${label} was made anew meanwhile`);
      await this.#remember(facts, [manifest], manifest);
      // What of it is not here has no need to be now: a verification fetches it, too.
      if (isDelta) await this.#library.complete(manifest, signal).catch(() => {});
      return { facts, isDelta };
    });
  }

  /** Compares the map with what was applied, and repairs it if the set says so. */
  async verify(map: TargetMap, signal: AbortSignal): Promise<Verification> {
    const manifest = this.applied;
    if (manifest === undefined) throw new Error("nothing was applied that could be verified");
    const facts = await map.describe(signal);
    if (facts.identity !== this.#record?.identity) {
      await this.apply(map, manifest, signal);
      return { facts, found: NO_DIFFERENCE, isRepaired: true };
    }
    return this.#library.with(manifest, async (contents) => {
      const scope = manifest.ownership === "exclusive" ? "all" : "own";
      const found = await map.compare(contents.read(signal), scope, signal);
      const isRight = found.missing + found.changed + found.extra === 0;
      if (isRight || manifest.drift === "report") return { facts, found, isRepaired: false };
      await this.#write(map, manifest, contents, signal);
      return { facts, found, isRepaired: true };
    });
  }

  /** The set is for this host no more: its elements stay. */
  async forget(): Promise<void> {
    this.#record = undefined;
    await this.#state.forget(this.#name);
  }

  /** Writes what has changed since the generation that is there, if that is known. */
  async #follow(
    map: TargetMap,
    manifest: Manifest,
    contents: Contents,
    facts: TargetFacts,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { applied } = this;
    if (facts.isAtomic || applied === undefined || !isFollowed(applied, manifest)) return false;
    const layers = layersSince(manifest, applied.generation);
    if (layers === undefined) return false;
    const changes = await contents.changes(layers, signal);
    const room = await this.#roomFor(map, manifest, applied, changes, facts, signal);
    if (room === "unknown") return false;
    // Whatever comes now, going from the earlier generation to this one once more is right.
    await this.#remember(facts, [...this.#others(manifest), manifest], applied);
    if (room === "after removals") await map.remove(removals(changes), signal);
    try {
      await map.put(puts(changes, manifest.valueSize), signal);
    } catch (error) {
      // What is removed may make room for what is put: REPLACE sees to that.
      if (error instanceof FullError && manifest.ownership === "exclusive") return false;
      throw error;
    }
    if (manifest.ownership !== "additive") await map.remove(removals(changes), signal);
    return true;
  }

  /**
   * Whether there is room for what is put, beside elements of others: at once, or only once others
   * are removed; unknown where the whole contents have to be compared for that. Throws an
   * UnfitError where there is none.
   */
  async #roomFor(
    map: TargetMap,
    manifest: Manifest,
    applied: Manifest,
    changes: Changes,
    facts: TargetFacts,
    signal: AbortSignal,
  ): Promise<"at once" | "after removals" | "unknown"> {
    const growth = manifest.count - applied.count;
    const removed = changes.removed.reduce((sum, one) => sum + one, 0);
    const { ownership } = manifest;
    if (ownership === "exclusive" || facts.evicts || growth + removed <= 0) return "at once";
    const room = facts.capacity - (await map.count(signal));
    if (room >= growth + removed) return "at once";
    // Nothing is removed there, and some of what is put may be in the map.
    if (ownership === "additive") return "unknown";
    if (room < growth) throw unfit(manifest, facts, room);
    return "after removals";
  }

  /** Writes all: puts before removals. */
  async #write(
    map: TargetMap,
    manifest: Manifest,
    contents: Contents,
    signal: AbortSignal,
  ): Promise<void> {
    if (manifest.ownership === "exclusive") {
      return map.replace(contents.read(signal), signal);
    }
    await map.put(contents.read(signal), signal);
    if (manifest.ownership === "additive") return;
    for (const earlier of this.#others(manifest)) {
      const before = this.#library.contents(earlier).read(signal);
      const after = contents.read(signal);
      await map.remove(droppedKeys(before, after, manifest.keySize), signal);
    }
  }

  /** Manifests of which elements may be there, without this one. */
  #others(manifest: Manifest): Manifest[] {
    return this.written.filter(
      ({ id, generation }) => id !== manifest.id || generation !== manifest.generation,
    );
  }

  async #remember(
    { identity }: TargetFacts,
    written: readonly Manifest[],
    applied: Manifest | undefined,
  ): Promise<void> {
    const record: SetRecord = { identity, written, applied };
    await this.#state.save(this.#name, record);
    this.#record = record;
  }
}

const NO_DIFFERENCE: Difference = { missing: 0, changed: 0, extra: 0 };

/** Whether the one is an earlier generation of the other, for the same elements of a map. */
function isFollowed(earlier: Manifest, later: Manifest): boolean {
  return (
    earlier.id === later.id &&
    earlier.generation <= later.generation &&
    earlier.ownership === later.ownership &&
    earlier.keySize === later.keySize &&
    earlier.valueSize === later.valueSize
  );
}

function checkFits(manifest: Manifest, facts: TargetFacts): void {
  const { keySize, valueSize, count, ownership, name } = manifest;
  if (facts.keySize !== keySize || facts.valueSize !== valueSize) {
    throw new UnfitError(
      `map set "${name}" has elements of ${keySize}+${valueSize} bytes, ${facts.label} has ${facts.keySize}+${facts.valueSize}: put the set with those sizes`,
    );
  }
  if (count <= facts.capacity || (facts.evicts && ownership !== "exclusive")) return;
  throw unfit(manifest, facts, facts.capacity);
}

/** With elements of others in the map, what is missing may be too much although the set would fit. */
async function checkRoom(
  map: TargetMap,
  contents: Contents,
  facts: TargetFacts,
  signal: AbortSignal,
): Promise<void> {
  if (facts.evicts) return;
  try {
    await map.compare(contents.read(signal), "own", signal);
  } catch (error) {
    if (!(error instanceof FullError)) throw error;
    throw new UnfitError(error.message, { cause: error });
  }
}

function unfit({ name, count }: Manifest, { label, capacity }: TargetFacts, room: number) {
  const beside =
    room < capacity
      ? ` beside elements of others, of which it has room for ${Math.max(0, room)} more`
      : "";
  return new UnfitError(
    `map set "${name}" has ${count} elements, ${label} has room for ${capacity}${beside}: nothing was changed`,
  );
}

async function* puts(changes: Changes, valueSize: number) {
  const keySize = changes.count === 0 ? 0 : changes.keys.length / changes.count;
  for (const [from, to] of stretches(changes, 0)) {
    yield {
      count: to - from,
      keys: changes.keys.subarray(from * keySize, to * keySize),
      values: changes.values.subarray(from * valueSize, to * valueSize),
    };
  }
}

async function* removals(changes: Changes): AsyncGenerator<Keys> {
  const keySize = changes.count === 0 ? 0 : changes.keys.length / changes.count;
  for (const [from, to] of stretches(changes, 1)) {
    yield { count: to - from, keys: changes.keys.subarray(from * keySize, to * keySize) };
  }
}

/** Runs of changes that are all puts (0), or all removals (1). */
function* stretches({ count, removed }: Changes, what: 0 | 1): Generator<[number, number]> {
  for (let from = 0; from < count; ) {
    let to = from;
    while (to < count && (removed[to] ?? 0) === what) to++;
    if (to > from) yield [from, to];
    from = to + 1;
  }
}
