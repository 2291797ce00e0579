import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../clock.js";
import type { Manifest } from "../sets/index.js";
import type { HostState, SegmentShelf, SetRecord } from "./host-state.js";
import { Reconciler, UnfitError } from "./reconciler.js";
import { type FetchSegment, SegmentLibrary } from "./segment-library.js";
import type { SetStatus } from "./set-status.js";
import type { TargetMap } from "./target-map.js";

/** How a {@link SetAgent} is set up. */
export interface SetAgentOptions {
  readonly state: HostState;
  readonly shelf: SegmentShelf;
  readonly fetch: FetchSegment;
  /** The map that a set is for, as the one who wrote the set may use it. */
  readonly open: (manifest: Manifest) => TargetMap;
  /** Told whenever something of a set's status is new. */
  readonly onStatus: (status: SetStatus) => void;
  /** Told that a set is none of this host's any more. */
  readonly onForgotten?: (set: string) => void;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** A word for programs of an error, where it has one. */
  readonly reasonOf?: (error: unknown) => string | undefined;
  readonly verifyMs?: number;
}

const VERIFY_MS = 30_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;

/** Keeps all sets of a host: each new generation at once, and a verification now and then. */
export class SetAgent {
  readonly #options: SetAgentOptions;
  readonly #library: SegmentLibrary;
  readonly #keepers = new Map<string, SetKeeper>();
  /** What earlier processes remembered of sets that this one has not had yet. */
  readonly #loaded: Promise<Map<string, SetRecord>>;
  readonly #stopped = new AbortController();

  constructor(options: SetAgentOptions) {
    this.#options = options;
    this.#library = new SegmentLibrary(options.shelf, options.fetch);
    this.#loaded = options.state.load().then((records) => new Map(records));
    this.#loaded.catch(() => {});
  }

  /** Statuses of all sets, as of now. */
  get statuses(): SetStatus[] {
    return [...this.#keepers.values()].map(({ status }) => status);
  }

  /**
   * A set is to have a generation, which may be an earlier one.
   * @param revision of the store, since which that is so: one that is behind what was told before
   * is not heeded
   */
  async want(manifest: Manifest, revision: bigint): Promise<void> {
    const records = await this.#loaded;
    if (this.#stopped.signal.aborted) return;
    const { name } = manifest;
    let keeper = this.#keepers.get(name);
    if (keeper === undefined) {
      const { state } = this.#options;
      const reconciler = new Reconciler(name, this.#library, state, records.get(name));
      keeper = new SetKeeper({ manifest, revision }, reconciler, this.#options, () => this.#tidy());
      records.delete(name);
      this.#keepers.set(name, keeper);
      keeper.start(this.#stopped.signal);
    } else {
      keeper.want(manifest, revision);
    }
  }

  /** These are all sets of the host: it lets go of others, whose elements stay in their maps. */
  async wantOnly(names: ReadonlySet<string>): Promise<void> {
    const records = await this.#loaded;
    for (const name of new Set([...records.keys(), ...this.#keepers.keys()])) {
      if (!names.has(name)) await this.unwant(name);
    }
  }

  /** A set is none of this host's any more: its elements stay in the map. */
  async unwant(name: string): Promise<void> {
    (await this.#loaded).delete(name);
    const keeper = this.#keepers.get(name);
    this.#keepers.delete(name);
    if (keeper === undefined) await this.#options.state.forget(name);
    else await keeper.end();
    this.#options.onForgotten?.(name);
    await this.#tidy();
  }

  /** Has sets that failed tried again at once, as after a relay came back. */
  retry(): void {
    for (const keeper of this.#keepers.values()) keeper.retry();
  }

  /** Ends all work; what is half done is gone on with by the next process. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error("the daemon is stopping"));
    await Promise.all([...this.#keepers.values()].map((keeper) => keeper.stopped()));
  }

  async #tidy(): Promise<void> {
    const manifests = [...this.#keepers.values()].flatMap(({ written }) => written);
    // Segments that stay too long take room, and do no harm.
    await this.#library.keepOnly(manifests).catch(() => {});
  }
}

/** Keeps one set: one step after the other. */
class SetKeeper {
  readonly #options: SetAgentOptions;
  readonly #reconciler: Reconciler;
  readonly #tidy: () => Promise<void>;
  readonly #ended = new AbortController();
  #wanted: Manifest;
  /** Of the store, since which that is so. */
  #revision: bigint;
  #status: SetStatus;
  #failures = 0;
  #wake = new AbortController();
  #running: Promise<void> | undefined;

  constructor(
    { manifest, revision }: { readonly manifest: Manifest; readonly revision: bigint },
    reconciler: Reconciler,
    options: SetAgentOptions,
    tidy: () => Promise<void>,
  ) {
    this.#wanted = manifest;
    this.#revision = revision;
    this.#reconciler = reconciler;
    this.#options = options;
    this.#tidy = tidy;
    const none = { missing: 0, changed: 0, extra: 0 };
    this.#status = {
      ...{ set: manifest.name, id: manifest.id, wanted: manifest.generation },
      ...{ applied: 0, digest: "", error: "", errorReason: "" },
      ...{ verifiedAt: 0, appliedAt: 0, drifts: 0, lastDrift: { at: 0, ...none }, ...none },
    };
  }

  get status(): SetStatus {
    return this.#status;
  }

  get written(): readonly Manifest[] {
    return [...this.#reconciler.written, this.#wanted];
  }

  start(signal: AbortSignal): void {
    const either = AbortSignal.any([signal, this.#ended.signal]);
    this.#running = this.#run(either);
  }

  want(manifest: Manifest, revision: bigint): void {
    if (revision < this.#revision) return;
    this.#revision = revision;
    const { id, generation } = this.#wanted;
    const isNew = manifest.id !== id || manifest.generation !== generation;
    this.#wanted = manifest;
    if (!isNew) return;
    this.#failures = 0;
    // An error of the generation before is none of this one.
    this.#tell({ id: manifest.id, wanted: manifest.generation, ...NO_ERROR });
    this.#wake.abort();
  }

  retry(): void {
    if (this.#status.error !== "") this.#wake.abort();
  }

  async end(): Promise<void> {
    this.#ended.abort(new Error("the set is none of this host's any more"));
    await this.#running;
    await this.#reconciler.forget();
  }

  async stopped(): Promise<void> {
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const wanted = this.#wanted;
      await this.#step(wanted, signal);
      if (wanted !== this.#wanted || signal.aborted) continue;
      const either = AbortSignal.any([signal, this.#wake.signal]);
      await this.#options.clock.sleep(this.#pauseMs(), either).catch(() => {});
    }
  }

  async #step(wanted: Manifest, signal: AbortSignal): Promise<void> {
    try {
      const map = this.#options.open(wanted);
      const { applied } = this.#reconciler;
      const isThere = applied?.id === wanted.id && applied.generation === wanted.generation;
      if (isThere && this.#failures === 0 && this.#status.applied !== wanted.generation) {
        // What an earlier process left is told before it is looked at.
        this.#tell(appliedStatus(wanted, 0));
      }
      if (!isThere) {
        await this.#apply(map, wanted, signal);
      } else {
        // Folded meanwhile, so that its segments are others.
        if (!isSameForm(applied, wanted)) await this.#reconciler.apply(map, wanted, signal);
        await this.#verify(map, wanted, signal);
      }
      this.#failures = 0;
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
    }
  }

  async #apply(map: TargetMap, wanted: Manifest, signal: AbortSignal): Promise<void> {
    await this.#reconciler.apply(map, wanted, signal);
    const now = this.#options.now();
    this.#tell({ ...appliedStatus(wanted, now), ...RIGHT, verifiedAt: now });
    await this.#tidy();
  }

  async #verify(map: TargetMap, wanted: Manifest, signal: AbortSignal): Promise<void> {
    const { found, isRepaired } = await this.#reconciler.verify(map, signal);
    const now = this.#options.now();
    const isDrift = found.missing + found.changed + found.extra > 0;
    this.#tell({
      ...appliedStatus(wanted, this.#status.appliedAt),
      verifiedAt: now,
      ...(isRepaired ? NONE : found),
      ...NO_ERROR,
      ...(isDrift && { drifts: this.#status.drifts + 1, lastDrift: { at: now, ...found } }),
    });
  }

  #failed(error: unknown): void {
    this.#failures++;
    const { applied } = this.#reconciler;
    const reason = this.#options.reasonOf?.(error);
    this.#tell({
      applied: applied?.id === this.#wanted.id ? applied.generation : 0,
      digest: applied?.id === this.#wanted.id ? applied.digest : "",
      error: (error as Error).message,
      errorReason: reason ?? (error instanceof UnfitError ? "MAP_SET_UNFIT" : "INTERNAL"),
    });
  }

  #tell(news: Partial<SetStatus>): void {
    this.#status = { ...this.#status, ...news };
    this.#options.onStatus(this.#status);
  }

  /** Verifications of many hosts, and tries of theirs, do not come at once. */
  #pauseMs(): number {
    const { clock, verifyMs = VERIFY_MS } = this.#options;
    if (this.#failures === 0) return verifyMs * (0.9 + 0.2 * clock.random());
    const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(10, this.#failures));
    return longest * (0.5 + 0.5 * clock.random());
  }
}

function isSameForm(one: Manifest, other: Manifest): boolean {
  return isDeepStrictEqual([one.base, one.layers], [other.base, other.layers]);
}

const NONE = { missing: 0, changed: 0, extra: 0 };
const NO_ERROR = { error: "", errorReason: "" };
const RIGHT = { ...NONE, ...NO_ERROR };

function appliedStatus({ id, generation, digest }: Manifest, at: number) {
  return {
    ...{ id, applied: generation, digest },
    ...(at > 0 && { appliedAt: at }),
  };
}
