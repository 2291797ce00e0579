import { hasKey, type KeyRange, type Transaction } from "#dist/fleet/store/index.js";
import { text } from "./fixture.ts";

/** A key as the model has it. */
export interface ModelEntry {
  readonly value: string;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  readonly version: bigint;
  readonly lease: bigint;
}

interface ModelWrite {
  readonly revision: bigint;
  readonly key: string;
  /** Absent where the key was removed. */
  readonly value?: string;
  readonly lease: bigint;
}

type State = ReadonlyMap<string, ModelEntry>;

/** What a store must be like: a list of all writes, and everything worked out from it anew. */
export class Model {
  revision: bigint;
  compactRevision = 0n;
  readonly leases = new Set<bigint>();
  readonly #writes: ModelWrite[] = [];

  constructor(revision: bigint) {
    this.revision = revision;
  }

  /** All keys at a revision. */
  at(revision: bigint): State {
    const state = new Map<string, ModelEntry>();
    for (const { revision: modRevision, key, value, lease } of this.#writes) {
      if (modRevision > revision) break;
      if (value === undefined) {
        state.delete(key);
        continue;
      }
      const before = state.get(key);
      const createRevision = before?.createRevision ?? modRevision;
      const version = (before?.version ?? 0n) + 1n;
      state.set(key, { value, createRevision, modRevision, version, lease });
    }
    return state;
  }

  /** Writes to a range since a revision, in short, as `told` has them. */
  since(range: KeyRange, from: bigint): string[] {
    return this.#writes
      .filter(({ key, revision }) => revision >= from && hasKey(range, key))
      .map(({ key, value, revision }) =>
        value === undefined ? `delete ${key} @${revision}` : `put ${key}=${value} @${revision}`,
      );
  }

  /** Undefined where it is to be refused, as a lease is not there. */
  transact({ compare = [], success = [], failure = [] }: Transaction) {
    const now = this.at(this.revision);
    const succeeded = compare.every(({ key, target, is, than }) => {
      const number = now.get(key)?.[target] ?? 0n;
      return {
        "=": number === than,
        "!=": number !== than,
        "<": number < than,
        ">": number > than,
      }[is];
    });
    const branch = succeeded ? success : failure;
    const hasAll = branch.every(
      (one) => one.do !== "put" || !one.lease || this.leases.has(one.lease),
    );
    if (!hasAll) return undefined;
    const revision = this.revision + 1n;
    const results = branch.map((operation) => {
      const { key } = operation;
      const before = this.at(revision).get(key);
      if (operation.do === "get") return { do: "get", entry: before && { key, ...before } };
      if (operation.do === "put") {
        const { value, lease = 0n } = operation;
        this.#writes.push({ revision, key, value: text(value), lease });
        return { do: "put" };
      }
      if (before !== undefined) this.#writes.push({ revision, key, lease: 0n });
      return { do: "delete", deleted: before !== undefined };
    });
    if (this.#writes.at(-1)?.revision === revision) this.revision = revision;
    return { succeeded, results, revision: this.revision };
  }

  revoke(lease: bigint): void {
    const keys = [...this.at(this.revision)].filter(([, entry]) => entry.lease === lease);
    if (keys.length > 0) this.revision++;
    for (const [key] of keys.sort()) this.#writes.push({ revision: this.revision, key, lease: 0n });
    this.leases.delete(lease);
  }
}
