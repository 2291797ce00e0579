import { type FleetHost, FleetHostSchema, Liveness } from "@bpfmapd/client/proto";
import { create, fromBinary } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import type { Clock } from "../clock.js";
import { storeUnavailable } from "../session/session-error.js";
import { keysUnder, type Store, scan, type WatchEvent } from "../store/index.js";
import {
  HOSTS,
  MEMBERS,
  RELAYS,
  type RelayRecord,
  readRelay,
  readSession,
  SESSIONS,
  type SessionRecord,
} from "./member-keys.js";

const RETRY_MS = 500;

interface Known {
  registered?: FleetHost | undefined;
  session?: (SessionRecord & { readonly revision: bigint }) | undefined;
}

/** Told of a host that is new, has changed or is forgotten. */
export type HostListener = (hostId: string) => void;

/** All hosts and relays of the fleet, as the store has them: a copy that follows it. */
export class HostDirectory {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #hosts = new Map<string, Known>();
  readonly #relays = new Map<string, RelayRecord>();
  readonly #listeners = new Set<HostListener>();
  readonly #stopped = new AbortController();
  #sorted: string[] | undefined;
  #ready!: () => void;
  #whenReady: Promise<void> = new Promise((resolve) => {
    this.#ready = resolve;
  });
  #isReady = false;
  #trouble: unknown;

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
  }

  /** Settles when the store has been read. Throws STORE_UNAVAILABLE where it cannot be. */
  async ready(): Promise<void> {
    if (this.#isReady) return;
    if (this.#trouble !== undefined) throw storeUnavailable(this.#trouble);
    await this.#whenReady;
    if (!this.#isReady) throw storeUnavailable(this.#trouble);
  }

  /** Ids of all hosts, in order. */
  get ids(): readonly string[] {
    if (!this.#sorted) {
      const known = [...this.#hosts].filter(([, { registered }]) => registered !== undefined);
      this.#sorted = known.map(([id]) => id).sort();
    }
    return this.#sorted;
  }

  /** A host as it is now; undefined where none of this id is registered. */
  host(id: string): FleetHost | undefined {
    const { registered, session } = this.#hosts.get(id) ?? {};
    if (!registered) return undefined;
    return create(FleetHostSchema, {
      ...registered,
      liveness: session ? Liveness.CONNECTED : Liveness.LOST,
      relay: session?.relay ?? "",
      sessionId: session?.session ?? "",
    });
  }

  /** Where a host has its session, and the revision that says so; undefined where it has none. */
  session(id: string): (SessionRecord & { readonly revision: bigint }) | undefined {
    return this.#hosts.get(id)?.session;
  }

  /** A relay that lives. */
  relay(id: string): RelayRecord | undefined {
    return this.#relays.get(id);
  }

  /** How many relays live. */
  get relayCount(): number {
    return this.#relays.size;
  }

  /** Calls back for each host that changes; answers how to end that. */
  onChange(listener: HostListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads everything, and follows the changes from there; anew where that breaks. */
  async #follow(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        const revision = await this.#readAll(signal);
        this.#isReady = true;
        this.#ready();
        const watch = { range: keysUnder(MEMBERS), from: revision + 1n, signal };
        for await (const { events } of this.#store.watch(watch)) this.#apply(events);
      } catch (error) {
        if (signal.aborted) return;
        this.#trouble = error;
        if (!this.#isReady) this.#giveUpWaiting();
        this.#log.warn(
          { err: (error as Error).message },
          "hosts cannot be read from the store: trying again",
        );
        await this.#clock.sleep(RETRY_MS, signal).catch(() => {});
      }
    }
  }

  #giveUpWaiting(): void {
    this.#ready();
    this.#whenReady = new Promise((resolve) => {
      this.#ready = resolve;
    });
  }

  async #readAll(signal: AbortSignal): Promise<bigint> {
    const found = new Set<string>();
    let read = 0n;
    const query = { range: keysUnder(MEMBERS), limit: 1000 };
    for await (const { revision, entries } of scan(this.#store, query, signal)) {
      read = revision;
      for (const entry of entries) found.add(entry.key);
      this.#apply(entries.map((entry) => ({ type: "put", entry })));
    }
    if (read === 0n) read = (await this.#store.get(MEMBERS, { signal })).revision;
    this.#forgetAllBut(found, read);
    return read;
  }

  /** What is not in the store any more, after changes that were missed. */
  #forgetAllBut(found: ReadonlySet<string>, modRevision: bigint): void {
    const known = [
      ...[...this.#hosts.keys()].flatMap((id) => [HOSTS + id, SESSIONS + id]),
      ...[...this.#relays.keys()].map((id) => RELAYS + id),
    ];
    const gone = known.filter((key) => !found.has(key));
    this.#apply(gone.map((key) => ({ type: "delete", key, modRevision })));
  }

  #apply(events: readonly WatchEvent[]): void {
    const changed = new Set<string>();
    for (const event of events) {
      const id = this.#applyOne(event);
      if (id !== undefined) changed.add(id);
    }
    for (const id of changed) {
      for (const listener of this.#listeners) listener(id);
    }
  }

  /** Answers the id of the host that has changed. */
  #applyOne(event: WatchEvent): string | undefined {
    const { key, value, modRevision } =
      event.type === "put" ? event.entry : { ...event, value: undefined };
    try {
      if (key.startsWith(HOSTS)) {
        return this.#change(key.slice(HOSTS.length), {
          registered: value && fromBinary(FleetHostSchema, value),
        });
      }
      if (key.startsWith(SESSIONS)) {
        return this.#change(key.slice(SESSIONS.length), {
          session: value && { ...readSession(value), revision: modRevision },
        });
      }
      if (key.startsWith(RELAYS)) {
        const id = key.slice(RELAYS.length);
        if (value) this.#relays.set(id, readRelay(value));
        else this.#relays.delete(id);
      }
    } catch (error) {
      this.#log.error({ key, err: (error as Error).message }, "a key in the store cannot be read");
    }
    return undefined;
  }

  #change(id: string, change: Known): string | undefined {
    const before = this.#hosts.get(id);
    const after = { ...before, ...change };
    if (before?.registered === undefined || after.registered === undefined)
      this.#sorted = undefined;
    if (after.registered === undefined && after.session === undefined) {
      return this.#hosts.delete(id) ? id : undefined;
    }
    this.#hosts.set(id, after);
    return id;
  }
}
