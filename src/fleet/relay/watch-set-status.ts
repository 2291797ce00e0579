import {
  Liveness,
  type MapSetStatus,
  MapSetStatusSchema,
  type MapSetTotals,
  MapSetTotalsSchema,
} from "@bpfmapd/client/proto";
import { create } from "@bufbuild/protobuf";
import type { Clock } from "../clock.js";
import type { HostDirectory } from "../members/host-directory.js";
import { type Manifest, type MapSets, setNotFound } from "../sets/index.js";
import { setMatcher } from "../sets-contract.js";
import { Bell } from "../store/bell.js";
import { StoreError } from "../store/index.js";
import type { SetCatalogue } from "./set-catalogue.js";
import type { SetStatuses } from "./set-statuses.js";

const RETRY_MS = 500;

/** What one who watches a set is told. */
export type SetStatusEvent =
  | { readonly kind: "status"; readonly status: MapSetStatus }
  | { readonly kind: "removed"; readonly hostId: string }
  | { readonly kind: "totals"; readonly totals: MapSetTotals };

/** What is watched. */
export interface WatchedParts {
  readonly sets: MapSets;
  readonly catalogue: SetCatalogue;
  readonly statuses: SetStatuses;
  readonly directory: HostDirectory;
  readonly clock: Clock;
}

/**
 * How a set is on each of its hosts, with totals after all that is new. Throws NOT_FOUND where
 * there is no such set, or no more.
 */
export async function* watchSetStatus(
  parts: WatchedParts,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<SetStatusEvent, void> {
  const { sets, catalogue, directory } = parts;
  // The catalogue may not have heard yet of one that has just been made.
  await Promise.all([sets.get(name, { signal }), catalogue.ready(), directory.ready()]);
  const watch = new SetStatusWatch(parts, name, signal);
  try {
    yield* watch.events();
  } finally {
    watch.end();
  }
}

class SetStatusWatch {
  readonly #parts: WatchedParts;
  readonly #name: string;
  readonly #signal: AbortSignal;
  readonly #ended = new AbortController();
  readonly #statuses = new Map<string, MapSetStatus>();
  readonly #told = new Map<string, MapSetStatus>();
  readonly #changed = new Set<string>();
  readonly #bell = new Bell();
  readonly #stop: (() => void)[];
  #isRead = false;
  #failure: unknown;
  #hasNews = true;

  constructor(parts: WatchedParts, name: string, signal: AbortSignal) {
    this.#parts = parts;
    this.#name = name;
    this.#signal = signal;
    const all = () => {
      for (const id of parts.directory.ids) this.#changed.add(id);
      for (const id of this.#told.keys()) this.#changed.add(id);
      this.#hasNews = true;
      this.#bell.ring();
    };
    const wake = () => this.#bell.ring();
    signal.addEventListener("abort", wake, { once: true });
    this.#stop = [
      parts.catalogue.onChange((set) => set === name && all()),
      parts.directory.onChange((id) => {
        this.#changed.add(id);
        this.#bell.ring();
      }),
      () => signal.removeEventListener("abort", wake),
    ];
    all();
    void this.#follow();
  }

  end(): void {
    this.#ended.abort();
    for (const stop of this.#stop) stop();
  }

  async *events(): AsyncGenerator<SetStatusEvent, void> {
    for (let wasThere = false; ; ) {
      this.#signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure;
      const manifest = this.#parts.catalogue.get(this.#name);
      if (manifest === undefined && wasThere) throw setNotFound(this.#name);
      wasThere = manifest !== undefined;
      if (manifest !== undefined && this.#isRead) yield* this.#news(manifest);
      if (this.#changed.size === 0 || !this.#isRead || !wasThere) await this.#bell.next;
    }
  }

  *#news(manifest: Manifest): Generator<SetStatusEvent> {
    for (const id of this.#changed) {
      this.#changed.delete(id);
      const status = this.#statusOf(id, manifest);
      if (status !== undefined) {
        this.#told.set(id, status);
        this.#hasNews = true;
        yield { kind: "status", status };
      } else if (this.#told.delete(id)) {
        this.#hasNews = true;
        yield { kind: "removed", hostId: id };
      }
    }
    if (!this.#hasNews) return;
    this.#hasNews = false;
    yield { kind: "totals", totals: totalsOf(manifest, this.#told.values()) };
  }

  #statusOf(hostId: string, manifest: Manifest): MapSetStatus | undefined {
    const host = this.#parts.directory.host(hostId);
    if (host === undefined || !setMatcher(manifest)(host)) return undefined;
    const told = this.#statuses.get(hostId);
    const isOfThis = told?.mapSetId === manifest.id;
    return create(MapSetStatusSchema, {
      ...(isOfThis ? told : { name: this.#name, hostId, mapSetId: manifest.id }),
      liveness: host.liveness,
    });
  }

  async #follow(): Promise<void> {
    const { statuses, clock } = this.#parts;
    const signal = AbortSignal.any([this.#signal, this.#ended.signal]);
    while (!signal.aborted) {
      try {
        for await (const changes of statuses.follow(this.#name, signal)) {
          for (const [id, status] of changes) {
            if (status) this.#statuses.set(id, status);
            else this.#statuses.delete(id);
            this.#changed.add(id);
          }
          // An empty one says that all has been read.
          if (changes.length === 0) this.#isRead = true;
          this.#bell.ring();
        }
      } catch (error) {
        if (!(error instanceof StoreError)) this.#failure = error;
        this.#bell.ring();
      }
      await clock.sleep(RETRY_MS, signal).catch(() => {});
    }
  }
}

function totalsOf(manifest: Manifest, statuses: Iterable<MapSetStatus>): MapSetTotals {
  const generation = BigInt(manifest.generation);
  const totals = create(MapSetTotalsSchema, { generation });
  for (const status of statuses) {
    const { difference } = status;
    totals.hosts++;
    if (status.appliedGeneration === generation) totals.applied++;
    if (status.errorReason !== "") totals.failed++;
    if (difference && difference.missing + difference.changed + difference.extra > 0n) {
      totals.drifted++;
    }
    if (status.liveness !== Liveness.CONNECTED) totals.unreachable++;
  }
  return totals;
}
