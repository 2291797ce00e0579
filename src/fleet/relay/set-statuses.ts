import { type MapSetStatus, MapSetStatusSchema } from "@bpfmapd/client/proto";
import { clone, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Logger } from "pino";
import type { Clock } from "../clock.js";
import { keysUnder, put, remove, type Store, scan } from "../store/index.js";

const STATUSES = "sets/status/";
/** Statuses of one transaction. */
const AT_A_TIME = 100;
/** How long statuses are gathered, in milliseconds. */
const GATHER_MS = 50;
const RETRY_MS = 1000;
/** Bytes of a status; a host that tells more is not heeded. */
const MAX_BYTES = 8 * 1024;
/** How old the time of a verification may be in the store, in milliseconds. */
const STALE_MS = 5 * 60 * 1000;

/** What hosts tell of their sets, in the store: so every relay knows it. */
export class SetStatuses {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** What this relay has written last, or is about to write. */
  readonly #written = new Map<string, MapSetStatus>();
  readonly #pending = new Map<string, MapSetStatus>();
  readonly #stopped = new AbortController();
  #isWriting = false;

  constructor(store: Store, clock: Clock, log: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  close(): void {
    this.#stopped.abort();
  }

  /** A host tells how a set is. It is written where it is news. */
  report(hostId: string, status: MapSetStatus): void {
    const told = clone(MapSetStatusSchema, status);
    told.hostId = hostId;
    const key = keyOf(told.name, hostId);
    const before = this.#written.get(key);
    if (before !== undefined && !isNews(before, told)) return;
    if (toBinary(MapSetStatusSchema, told).length > MAX_BYTES) return;
    this.#written.set(key, told);
    this.#pending.set(key, told);
    void this.#write();
  }

  /** What was written of a host may be written over by another relay from now on. */
  forgetHost(hostId: string): void {
    for (const key of this.#written.keys()) {
      if (key.endsWith(`/${hostId}`)) this.#written.delete(key);
    }
  }

  /** Statuses of a set by host, as they are and as they change: undefined for one that is gone. */
  async *follow(
    set: string,
    signal: AbortSignal,
  ): AsyncGenerator<readonly (readonly [string, MapSetStatus | undefined])[]> {
    const prefix = `${STATUSES}${set}/`;
    const range = keysUnder(prefix);
    const hostOf = (key: string) => key.slice(prefix.length);
    const { revision } = await this.#store.range({ range, limit: 1, keysOnly: true }, { signal });
    for await (const { entries } of scan(this.#store, { range, revision, limit: 1000 }, signal)) {
      yield entries.map(({ key, value }) => [hostOf(key), statusOf(value)] as const);
    }
    yield [];
    for await (const { events } of this.#store.watch({ range, from: revision + 1n, signal })) {
      yield events.map((event) =>
        event.type === "put"
          ? ([hostOf(event.entry.key), statusOf(event.entry.value)] as const)
          : ([hostOf(event.key), undefined] as const),
      );
    }
  }

  /** Removes the statuses of sets and hosts that are no more. */
  async tidy(isKnown: (set: string, host: string) => boolean, signal: AbortSignal): Promise<void> {
    const query = { range: keysUnder(STATUSES), keysOnly: true, limit: 10_000 };
    for await (const { entries } of scan(this.#store, query, signal)) {
      const gone = entries.filter(({ key }) => {
        const [set = "", host = ""] = key.slice(STATUSES.length).split("/");
        return !isKnown(set, host);
      });
      for (let from = 0; from < gone.length; from += AT_A_TIME) {
        const success = gone.slice(from, from + AT_A_TIME).map(({ key }) => remove(key));
        await this.#store.transact({ success }, { signal });
      }
    }
  }

  async #write(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    const { signal } = this.#stopped;
    try {
      while (this.#pending.size > 0 && !signal.aborted) {
        await this.#clock.sleep(GATHER_MS, signal).catch(() => {});
        await this.#writeSome(signal);
      }
    } finally {
      this.#isWriting = false;
    }
  }

  async #writeSome(signal: AbortSignal): Promise<void> {
    const some = [...this.#pending].slice(0, AT_A_TIME);
    for (const [key] of some) this.#pending.delete(key);
    const success = some.map(([key, status]) => put(key, toBinary(MapSetStatusSchema, status)));
    try {
      await this.#store.transact({ success }, { signal });
    } catch (error) {
      if (signal.aborted) return;
      for (const [key, status] of some) {
        if (!this.#pending.has(key)) this.#pending.set(key, status);
      }
      this.#log.warn({ err: (error as Error).message }, "statuses of map sets cannot be written");
      await this.#clock.sleep(RETRY_MS, signal).catch(() => {});
    }
  }
}

function keyOf(set: string, hostId: string): string {
  return `${STATUSES}${set}/${hostId}`;
}

function statusOf(value: Uint8Array): MapSetStatus {
  return fromBinary(MapSetStatusSchema, value);
}

/** That a map was found right once more is no news for a while. */
function isNews(before: MapSetStatus, after: MapSetStatus): boolean {
  if (!before.verifiedAt || !after.verifiedAt) return !equals(MapSetStatusSchema, before, after);
  if (timestampMs(after.verifiedAt) - timestampMs(before.verifiedAt) >= STALE_MS) return true;
  return !equals(MapSetStatusSchema, before, { ...after, verifiedAt: before.verifiedAt });
}
