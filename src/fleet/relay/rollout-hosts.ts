import type { MapSetStatus } from "@bpfmapd/client/proto";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Clock } from "../clock.js";
import type { HostView } from "../rollout/index.js";
import type { SetStatuses } from "./set-statuses.js";

const RETRY_MS = 500;
/**
 * How long a host has to fail until it counts, in milliseconds. It tries again by itself, a few
 * times in this while: what passes, as when its relay was away, is no failure of a generation.
 */
const FAILING_MS = 3_000;

interface Told {
  readonly status: MapSetStatus;
  /** Since when its step fails; undefined where it does not. */
  readonly failingSince: number | undefined;
}

/** What the hosts of one set tell of it: a copy that follows the store. */
export class RolloutHosts {
  readonly #clock: Clock;
  readonly #told = new Map<string, Told>();
  readonly #stopped = new AbortController();
  #isRead = false;

  constructor(set: string, statuses: SetStatuses, clock: Clock) {
    this.#clock = clock;
    void this.#follow(set, statuses);
  }

  /** Whether all that was told before is known. */
  get isRead(): boolean {
    return this.#isRead;
  }

  close(): void {
    this.#stopped.abort();
  }

  /** A host, as rollouts see it. */
  view(id: string, isReachable: boolean, setId: string): HostView {
    const told = this.#told.get(id);
    if (told === undefined || told.status.mapSetId !== setId) {
      return { id, isReachable, applied: 0, hasDrifted: false };
    }
    const { status, failingSince } = told;
    const isFailing = failingSince !== undefined && this.#clock.now() - failingSince >= FAILING_MS;
    return {
      ...{ id, isReachable, hasDrifted: hasDrifted(status) },
      applied: Number(status.appliedGeneration),
      ...(isFailing && { error: errorOf(status) }),
    };
  }

  async #follow(set: string, statuses: SetStatuses): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        for await (const changes of statuses.follow(set, signal)) {
          for (const [id, status] of changes) this.#learn(id, status);
          // An empty one says that all has been read.
          if (changes.length === 0) this.#isRead = true;
        }
      } catch {
        // The store says why to whoever else asks it.
        this.#isRead = false;
      }
      await this.#clock.sleep(RETRY_MS, signal).catch(() => {});
    }
  }

  #learn(id: string, status: MapSetStatus | undefined): void {
    if (status === undefined) {
      this.#told.delete(id);
      return;
    }
    const before = this.#told.get(id);
    const isSame = before?.status.wantedGeneration === status.wantedGeneration;
    const since = (isSame ? before?.failingSince : undefined) ?? this.#clock.now();
    this.#told.set(id, { status, failingSince: status.errorReason === "" ? undefined : since });
  }
}

function errorOf({ wantedGeneration, errorReason, errorMessage }: MapSetStatus) {
  return { generation: Number(wantedGeneration), message: errorMessage || errorReason };
}

/** Whether others have changed the map since the generation came into it. */
function hasDrifted({ difference, appliedAt, lastDriftAt }: MapSetStatus): boolean {
  if (difference && difference.missing + difference.changed + difference.extra > 0n) return true;
  if (lastDriftAt === undefined) return false;
  return appliedAt !== undefined && timestampMs(lastDriftAt) >= timestampMs(appliedAt);
}
