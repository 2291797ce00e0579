import { hasKey, type KeyRange } from "../key-range.js";
import { SortedKeys } from "./sorted-keys.js";
import type { Step, Version } from "./version.js";

/** What a compaction takes away. */
export interface Compaction {
  /** The versions that nobody can read any more. */
  readonly dropped: readonly Version[];
  /** The steps they were in, with what is left of them. */
  readonly steps: readonly Step[];
}

/**
 * All versions of all keys that are still kept, by key and by revision. In memory: reads and
 * comparisons wait for nothing, and so nothing comes between the steps of a transaction.
 */
export class History {
  readonly #keys = new SortedKeys();
  readonly #versions = new Map<string, Version[]>();
  /** Steps in the order of their revisions. */
  #steps: Step[] = [];
  #revision: bigint;
  #compactRevision: bigint;

  /** An empty store begins at revision 1, as etcd does. */
  constructor(revision = 1n, compactRevision = 0n) {
    this.#revision = revision;
    this.#compactRevision = compactRevision;
  }

  /** The revision of the last step. */
  get revision(): bigint {
    return this.#revision;
  }

  /** The first revision that can be read; watches begin after it. */
  get compactRevision(): bigint {
    return this.#compactRevision;
  }

  /** Adds a step; its revision is greater than those before. */
  add(step: Step): void {
    this.#revision = step.revision;
    this.#load(step);
  }

  /** Adds a step read from the disk, in the order of revisions. */
  load(step: Step): void {
    this.#load(step);
  }

  /** The last version of a key; undefined where it is not there. */
  newest(key: string): Version | undefined {
    const version = this.#versions.get(key)?.at(-1);
    return version?.deleted ? undefined : version;
  }

  /** The version of a key that was in force at a revision; undefined where the key was not there. */
  at(key: string, revision: bigint): Version | undefined {
    const version = this.#versions.get(key)?.findLast((one) => one.revision <= revision);
    return version?.deleted ? undefined : version;
  }

  /** The keys of a range that were there at a revision, in order. */
  range(range: KeyRange, revision: bigint): Version[] {
    const found: Version[] = [];
    for (const key of this.#keys.within(range)) {
      const version = this.at(key, revision);
      if (version !== undefined) found.push(version);
    }
    return found;
  }

  /** Every key that is there now, in order. */
  *present(): Generator<Version> {
    for (const versions of this.#versions.values()) {
      const version = versions.at(-1)!;
      if (!version.deleted) yield version;
    }
  }

  /**
   * Writes to keys of a range at revisions `from` to `to`, both included, in order: whole
   * revisions, and no further one once there are `enough`.
   */
  since(range: KeyRange, from: bigint, to: bigint, enough: number): Version[] {
    const found: Version[] = [];
    for (let index = this.#stepAt(from); index < this.#steps.length; index++) {
      const { revision, versions } = this.#steps[index]!;
      if (revision > to || found.length >= enough) break;
      for (const version of versions) if (hasKey(range, version.key)) found.push(version);
    }
    return found;
  }

  /** Gives up what nobody needs to read at `revision` and later. */
  compact(revision: bigint): Compaction {
    const dropped: Version[] = [];
    for (const [key, versions] of this.#versions) {
      const kept = keptAt(versions, revision);
      if (kept.length === versions.length) continue;
      dropped.push(...versions.slice(0, versions.length - kept.length));
      if (kept.length > 0) this.#versions.set(key, kept);
      else this.#forget(key);
    }
    this.#compactRevision = revision;
    return { dropped, steps: this.#dropFromSteps(dropped) };
  }

  #load(step: Step): void {
    this.#steps.push(step);
    for (const version of step.versions) {
      const versions = this.#versions.get(version.key);
      if (versions !== undefined) {
        versions.push(version);
        continue;
      }
      this.#versions.set(version.key, [version]);
      this.#keys.add(version.key);
    }
  }

  #forget(key: string): void {
    this.#versions.delete(key);
    this.#keys.remove(key);
  }

  #dropFromSteps(dropped: readonly Version[]): Step[] {
    const gone = new Set(dropped);
    const revisions = new Set(dropped.map(({ revision }) => revision));
    const changed: Step[] = [];
    const steps: Step[] = [];
    for (const step of this.#steps) {
      if (!revisions.has(step.revision)) {
        steps.push(step);
        continue;
      }
      const versions = step.versions.filter((version) => !gone.has(version));
      const left = { revision: step.revision, versions };
      changed.push(left);
      if (versions.length > 0) steps.push(left);
    }
    this.#steps = steps;
    return changed;
  }

  /** Index of the first step that is not before this revision. */
  #stepAt(revision: bigint): number {
    let low = 0;
    let high = this.#steps.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#steps[middle]!.revision < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** What of a key's versions can be read at `revision` and later: the one in force then, and later ones. */
function keptAt(versions: readonly Version[], revision: bigint): Version[] {
  const inForce = versions.findLastIndex((version) => version.revision <= revision);
  if (inForce < 0) return [...versions];
  return versions.slice(versions[inForce]!.deleted ? inForce + 1 : inForce);
}
