import { createHash, randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { type Clock, systemClock } from "../clock.js";
import { besideManifest, checkPatch, isInForce, type RolloutPlan } from "../rollout/index.js";
import type { Store } from "../store/index.js";
import { checkColumns, checkKeys, checkSpec } from "./check.js";
import { commit, commitRemoval } from "./commit.js";
import { Contents } from "./contents.js";
import type { Changes, Elements } from "./elements.js";
import { type WrittenBase, writeBase } from "./fold.js";
import { writeLayer } from "./layer-writer.js";
import { decodeManifest, type Json, liveLayers, type Manifest, type SetSpec } from "./manifest.js";
import { joinChanges } from "./merge-changes.js";
import { type RealChanges, realChanges } from "./real-changes.js";
import { SegmentCache } from "./segment-cache.js";
import { SegmentUpload } from "./segment-upload.js";
import { SetError, setNotFound } from "./set-error.js";
import { checkSetName, setKeys } from "./set-keys.js";
import { readState, type SetState } from "./set-state.js";
import { doUpkeep, UPKEEP, type UpkeepRules, upkeepDue } from "./set-upkeep.js";
import { SortedRuns } from "./sorted-runs.js";
import { StoreSegments } from "./store-segments.js";

/** How {@link MapSets} is set up. */
export interface MapSetsOptions {
  /** Bytes of segments to keep in memory. Default 64 MiB. */
  readonly cacheBytes?: number;
  /** Bytes of keys and values that a set, or a patch, may have. Default 512 MiB. */
  readonly maxBytes?: number;
  /** When changes are folded and merged, where not as usual. */
  readonly upkeep?: Partial<UpkeepRules>;
  /** For waits between tries; default the system's. */
  readonly clock?: Clock;
  /** Milliseconds since 1970, for people; default the system's. */
  readonly now?: () => number;
  /** A string that nobody has made before; default a random UUID. */
  readonly newId?: () => string;
}

/** What every call on a set takes. */
export interface SetCallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What a write takes. */
export interface SetWriteOptions extends SetCallOptions {
  /**
   * The generation that the caller takes the set to be at, 0 for none: otherwise nothing is
   * written (GENERATION_CONFLICT). Without it, whatever is there is written over.
   */
  readonly expected?: number | undefined;
  /** Who writes, as the contract's JSON. */
  readonly writer?: Json | undefined;
  /** How a new generation is brought to the hosts; absent for all of them at once. */
  readonly rollout?: RolloutPlan | undefined;
  /** Who writes, for people: the history of the rollout has it. */
  readonly by?: string | undefined;
}

/** What a patch does; a key stands in it once. */
export interface Patch {
  /** Elements to add or change. */
  readonly puts?: Elements | undefined;
  /** Keys to remove; those that are not there do not matter. */
  readonly removals?: { readonly count: number; readonly keys: Uint8Array } | undefined;
  /** What to change of the set beside its contents. */
  readonly spec?: Partial<Pick<SetSpec, "selector" | "ownership" | "drift">> | undefined;
}

/** What a put led to. */
export interface PutResult {
  readonly manifest: Manifest;
  /** False where the set was like that already, so that it has no new generation. */
  readonly isNew: boolean;
}

/** What a patch led to: elements by what became of them. */
export interface PatchResult extends PutResult, Omit<RealChanges, "changes"> {}

const CACHE_BYTES = 64 * 1024 * 1024;
const MAX_BYTES = 512 * 1024 * 1024;
/** Sets of one answer. */
const LIST = 100;
const TRIES = 32;
/** Waits between tries grow up to this, at random. */
const LONGEST_WAIT_MS = 200;

/**
 * Map sets in the store: contents as immutable segments, named by their hash, and one manifest
 * for each set, changed by compare-and-swap. Any number of processes may use one store at once.
 * Throws SetErrors, and what the store throws.
 */
export class MapSets {
  readonly #store: Store;
  readonly #cache: SegmentCache;
  readonly #maxBytes: number;
  readonly #upkeep: UpkeepRules;
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #newId: () => string;

  constructor(store: Store, options: MapSetsOptions = {}) {
    this.#store = store;
    this.#cache = new SegmentCache(options.cacheBytes ?? CACHE_BYTES);
    this.#maxBytes = options.maxBytes ?? MAX_BYTES;
    this.#upkeep = { ...UPKEEP, ...options.upkeep };
    this.#clock = options.clock ?? systemClock;
    this.#now = options.now ?? Date.now;
    this.#newId = options.newId ?? randomUUID;
  }

  /**
   * Makes a set, or gives it other contents: all of them, in any order. Nothing is in force
   * before all is written. INVALID_ARGUMENT, TOO_LARGE, GENERATION_CONFLICT, CONTENDED.
   */
  async put(
    name: string,
    spec: SetSpec,
    elements: AsyncIterable<Elements> | Iterable<Elements>,
    options: SetWriteOptions = {},
  ): Promise<PutResult> {
    checkSetName(name);
    checkSpec(spec);
    const runs = new SortedRuns(spec);
    for await (const some of elements) {
      checkColumns(spec, some, "elements");
      runs.add(some);
      this.#checkBytes(name, runs);
    }
    return this.#retrying(name, options, async (state) => {
      const base = await this.#writeBase(state, spec, runs, options.signal);
      const { manifest: present } = state;
      // What was rolled back is put anew, where it is put again.
      if (present && isInForce(state.rollout) && isLike(present, base, spec))
        return { manifest: present, isNew: false };
      const generation = (present?.generation ?? 0) + 1;
      const manifest = this.#manifest(name, present, {
        ...specOf(spec),
        writer: options.writer ?? null,
        generation,
        count: base.count,
        digest: digestOf(spec.keySize, spec.valueSize, ...base.pages.map(({ hash }) => hash)),
        base: { ...base, generation },
        layers: [],
      });
      const made = await this.#commit(state, manifest, options);
      return made && { manifest: made, isNew: true };
    });
  }

  /**
   * Changes some elements of a set, and nothing else is written than these. NOT_FOUND,
   * INVALID_ARGUMENT, TOO_LARGE, GENERATION_CONFLICT, CONTENDED.
   */
  async patch(name: string, patch: Patch, options: SetWriteOptions = {}): Promise<PatchResult> {
    checkSetName(name);
    return this.#retrying(name, options, async (state) => {
      const { manifest: present } = state;
      if (present === undefined) throw setNotFound(name);
      checkPatch(name, state.rollout);
      // It leaves another manifest, with which the patch goes on.
      if (await this.#keepUp({ ...state, manifest: present }, options)) return "again";
      const wanted = this.#wantedChanges(present, patch);
      const contents = this.#contents(present, state.revision);
      const { changes, ...counts } = await realChanges(present, contents, wanted, options.signal);
      const spec = { ...specOf(present), ...definedOf(patch.spec) };
      const isSame = changes.count === 0 && isDeepStrictEqual(spec, specOf(present));
      if (isSame) return { manifest: present, isNew: false, ...counts };
      const manifest = await this.#patched(state, present, { ...spec, changes, counts }, options);
      const made = await this.#commit(state, manifest, options);
      return made && { manifest: made, isNew: true, ...counts };
    });
  }

  /**
   * What a set is, now or at an earlier generation that is still kept, with the store's revision
   * at which it is so. NOT_FOUND.
   */
  async get(
    name: string,
    { generation, signal }: SetCallOptions & { readonly generation?: number | undefined } = {},
  ): Promise<{ readonly manifest: Manifest; readonly revision: bigint }> {
    checkSetName(name);
    const { manifest, revision } = await readState(this.#store, name, signal);
    if (manifest === undefined) throw setNotFound(name);
    if (generation === undefined || generation === manifest.generation) {
      return { manifest, revision };
    }
    const past = await this.#store.get(setKeys.past(name, generation), { signal, revision });
    if (past.entry === undefined) {
      throw new SetError(
        "NOT_FOUND",
        `map set "${name}" is at generation ${manifest.generation}; generation ${generation} is not kept`,
      );
    }
    return { manifest: decodeManifest(past.entry.value), revision };
  }

  /**
   * The elements of a set that `get` answered, in the order of their keys. GONE where it takes so
   * long that they have been replaced and collected meanwhile.
   */
  read(
    { manifest, revision }: { readonly manifest: Manifest; readonly revision: bigint },
    { signal }: SetCallOptions = {},
  ): AsyncGenerator<Elements> {
    return this.#contents(manifest, revision).read(signal);
  }

  /** Sets by name, from after one of them; and whether there are more. */
  async list({
    after = "",
    limit = LIST,
    signal,
  }: SetCallOptions & {
    readonly after?: string | undefined;
    readonly limit?: number;
  } = {}): Promise<{
    readonly manifests: readonly Manifest[];
    readonly more: boolean;
  }> {
    const { to } = setKeys.manifests();
    // A name ends before "\0", and after its own key comes the next one.
    const from = after === "" ? setKeys.manifest("") : `${setKeys.manifest(after)}\0`;
    const { entries, more } = await this.#store.range({ range: { from, to }, limit }, { signal });
    return { manifests: entries.map(({ value }) => decodeManifest(value)), more };
  }

  /**
   * Removes a set. Hosts leave its elements in their maps: empty the set before, to have them
   * removed. NOT_FOUND, GENERATION_CONFLICT, CONTENDED.
   */
  async delete(name: string, options: SetWriteOptions = {}): Promise<Manifest> {
    checkSetName(name);
    return this.#retrying(name, options, async (state) => {
      const { manifest } = state;
      if (manifest === undefined) throw setNotFound(name);
      return (await commitRemoval(this.#store, state, options.signal)) && manifest;
    });
  }

  /** The bytes of a segment or page of a set, by its SHA-256. GONE. */
  async segment(name: string, hash: string, { signal }: SetCallOptions = {}): Promise<Uint8Array> {
    checkSetName(name);
    return this.#cache.before(new StoreSegments(this.#store, name)).get(hash, signal);
  }

  /** Bytes of segments in memory. */
  get cachedBytes(): number {
    return this.#cache.bytes;
  }

  /**
   * Reads the set and does a step, until it answers: anew where it answers "again", and where
   * others were faster (false), which cannot be for ever.
   */
  async #retrying<T extends object>(
    name: string,
    { expected, signal }: SetWriteOptions,
    step: (state: SetState) => Promise<T | "again" | false>,
  ): Promise<T> {
    for (let tries = 0; tries < TRIES; tries++) {
      const state = await readState(this.#store, name, signal);
      checkExpected(state, expected);
      const answer = await step(state);
      if (answer !== "again" && answer !== false) return answer;
      const longest = Math.min(LONGEST_WAIT_MS, 2 ** tries);
      if (answer === false) await this.#clock.sleep(this.#clock.random() * longest, signal);
    }
    throw new SetError("CONTENDED", `others write to map set "${name}" all the time: try again`);
  }

  /** Does what is due of a set before it grows further; answers whether something was. */
  async #keepUp(
    state: SetState & { readonly manifest: Manifest },
    { signal }: SetWriteOptions,
  ): Promise<boolean> {
    const form = upkeepDue(state.manifest, this.#upkeep);
    if (form === undefined) return false;
    const { recentLayers } = this.#upkeep;
    await doUpkeep(this.#store, state, { form, recentLayers }, this.#cache, signal);
    return true;
  }

  async #writeBase(state: SetState, spec: SetSpec, runs: SortedRuns, signal?: AbortSignal) {
    const upload = new SegmentUpload(this.#store, state.name, this.#cache, signal);
    await upload.learn();
    const base = await writeBase(spec, runs.read(), upload);
    await upload.end();
    return base;
  }

  async #patched(
    { name }: SetState,
    present: Manifest,
    next: ReturnType<typeof specOf> & { changes: Changes; counts: Omit<RealChanges, "changes"> },
    { signal, writer = null }: SetWriteOptions,
  ): Promise<Manifest> {
    const { changes, counts, ...spec } = next;
    const generation = present.generation + 1;
    const upload = new SegmentUpload(this.#store, name, this.#cache, signal);
    const generations = { from: generation, to: generation };
    const layer = await writeLayer(present, changes, generations, upload);
    await upload.end();
    const hashes = layer.segments.map(({ hash }) => hash);
    return this.#manifest(name, present, {
      ...spec,
      writer,
      generation,
      count: present.count + counts.added - counts.removed,
      digest: hashes.length === 0 ? present.digest : digestOf(present.digest, ...hashes),
      base: present.base,
      layers: [...present.layers, layer],
    });
  }

  #manifest(
    name: string,
    present: Manifest | undefined,
    next: Omit<Manifest, "format" | "name" | "id" | "write" | "madeAt" | "rollout">,
  ): Manifest {
    const id = present?.id ?? this.#newId();
    const write = this.#newId();
    return { format: 1, name, id, write, madeAt: this.#now(), rollout: "", ...next };
  }

  /** The manifest as it is in force; false where others were faster. */
  async #commit(
    state: SetState,
    made: Manifest,
    { signal, rollout: plan, by = "" }: SetWriteOptions,
  ): Promise<Manifest | false> {
    const { name: set, id: setId, generation, madeAt: at } = made;
    const rollout = plan === undefined ? "" : this.#newId();
    const before = state.manifest?.generation ?? 0;
    const next = { set, setId, before, generation, plan };
    const beside = besideManifest(state.rollout, next, { id: rollout, by, at });
    const manifest = { ...made, rollout };
    return (await commit(this.#store, state, manifest, signal, beside)) && manifest;
  }

  #contents(manifest: Manifest, revision: bigint): Contents {
    const source = new StoreSegments(this.#store, manifest.name, revision);
    return new Contents(manifest, this.#cache.before(source));
  }

  #wantedChanges(manifest: Manifest, { puts, removals }: Patch): Changes {
    const runs = new SortedRuns(manifest, "patch");
    if (puts !== undefined) {
      checkColumns(manifest, puts, "puts");
      runs.add(puts);
    }
    if (removals !== undefined) {
      const { count, keys } = removals;
      checkKeys(manifest, removals, "removals");
      const values = new Uint8Array(count * manifest.valueSize);
      runs.add({ count, keys, values, removed: new Uint8Array(count).fill(1) });
    }
    this.#checkBytes(manifest.name, runs);
    return joinChanges([...runs.read()]);
  }

  #checkBytes(name: string, { bytes }: SortedRuns): void {
    if (bytes <= this.#maxBytes) return;
    throw new SetError(
      "TOO_LARGE",
      `the elements for map set "${name}" have more than ${this.#maxBytes} bytes: make several sets of them`,
    );
  }
}

function checkExpected({ name, manifest }: SetState, expected: number | undefined): void {
  const generation = manifest?.generation ?? 0;
  if (expected === undefined || expected === generation) return;
  const present = generation === 0 ? "is not there" : `is at generation ${generation}`;
  throw new SetError(
    "GENERATION_CONFLICT",
    `map set "${name}" ${present}, not at ${expected}: read it anew`,
    { generation },
  );
}

function specOf({ ownership, drift, map, selector, keySize, valueSize }: SetSpec) {
  return { ownership, drift, map, selector, keySize, valueSize };
}

/** Whether a set has a base and nothing else, and is as the spec says. */
function isLike(present: Manifest, { pages }: WrittenBase, spec: SetSpec): boolean {
  return (
    liveLayers(present).length === 0 &&
    isDeepStrictEqual(present.base.pages, pages) &&
    isDeepStrictEqual(specOf(present), specOf(spec))
  );
}

/** Without fields that are undefined, which would hide those they are to leave. */
function definedOf(spec: Patch["spec"]) {
  const fields = Object.entries(spec ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(fields) as NonNullable<Patch["spec"]>;
}

function digestOf(...parts: readonly (string | number)[]): string {
  return createHash("sha256").update(parts.join(" ")).digest("hex");
}
