import type { DiskContents } from "#dist/fleet/store/embedded/disk.js";
import {
  type DiskWrite,
  FORMAT_KEY,
  readLease,
  readState,
  readStep,
  STATE_KEY,
  valueKey,
  writeState,
} from "#dist/fleet/store/embedded/disk-layout.js";
import { StoreError } from "#dist/fleet/store/index.js";
import { never, type Process } from "../world/machine.ts";

/** A change of a key that is on the disk. */
export interface DurableChange {
  readonly key: string;
  readonly value: Uint8Array | undefined;
  readonly revision: bigint;
}

/** What stays when the store's process is gone. */
export class Platter {
  readonly data = new Map<string, Uint8Array>();
  /** Called for each revision that is on it. */
  onChanges: (changes: readonly DurableChange[]) => void = () => {};
  /** The last revision that was told. */
  #told = 1n;

  constructor() {
    this.data.set(FORMAT_KEY, Buffer.from("1"));
    this.write([writeState(1n, 0n)]);
  }

  write(writes: readonly DiskWrite[]): void {
    for (const [key, value] of writes) {
      if (value === null) this.data.delete(key);
      else this.data.set(key, value);
    }
    for (const [key, value] of writes) if (value && key.startsWith("step/")) this.#tell(key, value);
  }

  /** A compaction writes steps that were told again. */
  #tell(key: string, bytes: Uint8Array): void {
    const { revision, versions } = readStep(key, bytes);
    if (revision <= this.#told) return;
    this.#told = revision;
    this.onChanges(
      versions.map((version) => ({
        key: version.key,
        value: version.deleted ? undefined : this.data.get(valueKey(version)),
        revision,
      })),
    );
  }
}

/** How a disk is at the moment. */
export interface DiskHealth {
  /** Milliseconds that a sync takes. */
  syncMs: number;
  /** How often a write fails, from 0 to 1; half of these are on the platter nevertheless. */
  failures: number;
}

/** The embedded store's disk: what is written is on the platter a while later, whole or not at all. */
export class SimulatedDisk {
  readonly #platter: Platter;
  readonly #process: Process;
  readonly #health: DiskHealth;
  #underWay: readonly DiskWrite[] | undefined;

  constructor(platter: Platter, process: Process, health: DiskHealth) {
    this.#platter = platter;
    this.#process = process;
    this.#health = health;
    process.onDeath.push(() => {
      // The power went just before, or just after.
      if (this.#underWay && process.machine.random.chance(0.5)) platter.write(this.#underWay);
    });
  }

  async open(): Promise<DiskContents> {
    await this.#process.work(20);
    const { data } = this.#platter;
    const keys = [...data.keys()].sort();
    return {
      state: readState(data.get(STATE_KEY)!),
      steps: keys
        .filter((key) => key.startsWith("step/"))
        .map((key) => readStep(key, data.get(key)!)),
      leases: keys
        .filter((key) => key.startsWith("lease/"))
        .map((key) => readLease(key, data.get(key)!)),
    };
  }

  async write(writes: readonly DiskWrite[]): Promise<void> {
    const { random } = this.#process.machine;
    this.#underWay = writes;
    await this.#process.work(this.#health.syncMs * random.between(0.5, 2));
    this.#underWay = undefined;
    if (random.chance(this.#health.failures)) {
      if (random.chance(0.5)) this.#platter.write(writes);
      throw new StoreError("UNAVAILABLE", "the disk fails", { maybeApplied: true });
    }
    this.#platter.write(writes);
  }

  async values(
    versions: readonly { readonly revision: bigint; readonly place: number }[],
  ): Promise<(Uint8Array | undefined)[]> {
    if (!this.#process.isAlive) return never();
    return versions.map((version) => this.#platter.data.get(valueKey(version)));
  }

  async freeBytes(): Promise<number> {
    return 2 ** 40;
  }

  reclaim(): void {}

  async close(): Promise<void> {}
}
