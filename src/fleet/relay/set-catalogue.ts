import type { Logger } from "pino";
import type { Clock } from "../clock.js";
import { storeUnavailable } from "../session/session-error.js";
import {
  type Manifest,
  type PresentSets,
  presentSets,
  type SetChange,
  watchSets,
} from "../sets/index.js";
import { Bell } from "../store/bell.js";
import type { Store } from "../store/index.js";

const RETRY_MS = 500;

/** Told of a set that is new, has changed or is deleted. */
export type SetListener = (name: string) => void;

/** A set as it is, and the revision of its last write. */
export interface KnownSet {
  readonly manifest: Manifest;
  readonly modRevision: bigint;
}

/** All sets, as the store has them: a copy that follows it. */
export class SetCatalogue {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #sets = new Map<string, KnownSet>();
  /** When sets were written that are known, also of such as cannot be read. */
  readonly #revisions = new Map<string, bigint>();
  readonly #news = new Bell();
  readonly #listeners = new Set<SetListener>();
  readonly #stopped = new AbortController();
  #isReady = false;
  #trouble: unknown;
  #waiting: (() => void)[] = [];
  /** A look at the store that is under way, and the one after it. */
  #look: Promise<unknown> = Promise.resolve();
  #nextLook: Promise<PresentSets> | undefined;

  constructor(store: Store, clock: Clock, log: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** Begins to follow the store. */
  start(): void {
    void this.#follow();
  }

  close(): void {
    this.#stopped.abort();
    this.#wake();
  }

  /** Settles when the store has been read. Throws STORE_UNAVAILABLE where it cannot be. */
  async ready(): Promise<void> {
    if (this.#isReady) return;
    if (this.#trouble === undefined) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (!this.#isReady) throw storeUnavailable(this.#trouble);
  }

  /**
   * Settles when everything is known that was in the store when it was called. Another relay may
   * have told a host of it already, and a watch that hangs is not noticed at once: what is older
   * would lead the host back. Throws what the store throws.
   */
  async isUpToDate(signal: AbortSignal): Promise<void> {
    await this.ready();
    while (!signal.aborted) {
      const news = this.#news.next;
      if (this.#has(await this.#present())) return;
      await Promise.race([news, this.#clock.sleep(RETRY_MS, signal).catch(() => {})]);
    }
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get names(): Iterable<string> {
    return this.#sets.keys();
  }

  get(name: string): Manifest | undefined {
    return this.#sets.get(name)?.manifest;
  }

  known(name: string): KnownSet | undefined {
    return this.#sets.get(name);
  }

  /** Calls back for each set that changes; answers how to end that. */
  onChange(listener: SetListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #has({ revision, sets }: PresentSets): boolean {
    const isKnown = [...sets].every(([name, at]) => (this.#revisions.get(name) ?? 0n) >= at);
    return isKnown && [...this.#revisions].every(([name, at]) => sets.has(name) || at > revision);
  }

  /** One look serves all who have asked before it began. */
  #present(): Promise<PresentSets> {
    this.#nextLook ??= this.#look
      .catch(() => {})
      .then(() => {
        const look = presentSets(this.#store, this.#stopped.signal);
        this.#look = look;
        this.#nextLook = undefined;
        return look;
      });
    return this.#nextLook;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopped;
    const onInterrupted = (error: Error) =>
      this.#log.info({ err: error.message }, "map sets are read anew from the store");
    while (!signal.aborted) {
      try {
        let isFirst = true;
        for await (const changes of watchSets(this.#store, { signal, onInterrupted })) {
          if (isFirst) this.#forgetAllBut(changes);
          isFirst = false;
          for (const change of changes) this.#apply(change);
          this.#news.ring();
          this.#isReady = true;
          this.#wake();
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#trouble = error;
        this.#wake();
        const err = (error as Error).message;
        this.#log.warn({ err }, "map sets cannot be read from the store: trying again");
      }
      await this.#clock.sleep(RETRY_MS, signal).catch(() => {});
    }
  }

  /** The first batch is all there is. */
  #forgetAllBut(changes: readonly SetChange[]): void {
    const there = new Set(changes.map(({ name }) => name));
    for (const name of [...this.#revisions.keys()]) {
      if (!there.has(name)) this.#apply({ type: "deleted", name });
    }
  }

  #apply(change: SetChange): void {
    const { name } = change;
    if (change.type === "deleted") this.#revisions.delete(name);
    else this.#revisions.set(name, change.modRevision);
    if (change.type === "unreadable") {
      this.#log.error({ set: name, err: change.error.message }, "a map set cannot be read");
      return;
    }
    if (change.type === "put") this.#sets.set(name, change);
    else this.#sets.delete(name);
    for (const listener of this.#listeners) listener(name);
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
