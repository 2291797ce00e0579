import { leaseNotFound } from "../store-error.js";
import type { Comparison, Operation, OperationResult, Put, Transaction } from "../transaction.js";
import { type DiskWrite, valueKey, writeState, writeStep } from "./disk-layout.js";
import type { History } from "./history.js";
import type { LeaseTable } from "./lease-table.js";
import type { Step, Version } from "./version.js";

/** What a transaction did in memory, and what is to be written for it. */
export interface Outcome {
  readonly succeeded: boolean;
  readonly results: readonly PendingResult[];
  readonly writes: readonly DiskWrite[];
}

/** A result whose value, if it has one, is on the disk once the transaction is. */
export type PendingResult =
  | Exclude<OperationResult, { do: "get" }>
  | { readonly do: "get"; readonly version: Version | undefined };

/** Compares and does one branch, all at the next revision. LEASE_NOT_FOUND before anything is changed. */
export function evaluate(
  transaction: Transaction,
  history: History,
  leases: LeaseTable,
  now: number,
): Outcome {
  const succeeded = (transaction.compare ?? []).every((comparison) => holds(comparison, history));
  const branch = (succeeded ? transaction.success : transaction.failure) ?? [];
  for (const operation of branch) {
    if (operation.do !== "put" || operation.lease === undefined) continue;
    if (leases.live(operation.lease, now) === undefined) throw leaseNotFound(operation.lease);
  }
  return { succeeded, ...carryOut(branch, history, leases) };
}

/** The writes that end a lease, all its keys at one revision. */
export function endLease(id: bigint, history: History, leases: LeaseTable): readonly DiskWrite[] {
  const keys = [...(leases.get(id)?.keys ?? [])].sort();
  const removals = keys.map((key): Operation => ({ do: "delete", key }));
  const { writes } = carryOut(removals, history, leases);
  leases.remove(id);
  return writes;
}

function holds({ key, target, is, than }: Comparison, history: History): boolean {
  const version = history.newest(key);
  const value =
    version === undefined ? 0n : version[target === "modRevision" ? "revision" : target];
  switch (is) {
    case "=":
      return value === than;
    case "!=":
      return value !== than;
    case "<":
      return value < than;
    case ">":
      return value > than;
  }
}

function carryOut(
  branch: readonly Operation[],
  history: History,
  leases: LeaseTable,
): Pick<Outcome, "results" | "writes"> {
  const step = { revision: history.revision + 1n, versions: [] as Version[] };
  const writes: DiskWrite[] = [];
  const results = branch.map((operation): PendingResult => {
    const before = history.newest(operation.key);
    if (operation.do === "get") return read(step, operation.key, before);
    if (operation.do === "delete") {
      if (before !== undefined) step.versions.push(removal(operation.key, step));
      return { do: "delete", deleted: before !== undefined };
    }
    const version = successor(operation, before, step);
    step.versions.push(version);
    writes.push([valueKey(version), operation.value]);
    return { do: "put" };
  });
  if (step.versions.length === 0) return { results, writes };
  takeOver(step, history, leases);
  writes.push(writeStep(step), writeState(step.revision, history.compactRevision));
  return { results, writes };
}

/** A key is read with what the same transaction did to it before. */
function read(step: Step, key: string, before: Version | undefined): PendingResult {
  const version = step.versions.find((one) => one.key === key) ?? before;
  return { do: "get", version: version?.deleted ? undefined : version };
}

function takeOver(step: Step, history: History, leases: LeaseTable): void {
  for (const { key, lease } of step.versions) {
    leases.move(key, history.newest(key)?.lease ?? 0n, lease);
  }
  history.add(step);
}

function successor(
  { key, lease = 0n }: Put,
  before: Version | undefined,
  { revision, versions }: Step,
): Version {
  return {
    key,
    revision,
    place: versions.length,
    deleted: false,
    createRevision: before?.createRevision ?? revision,
    version: (before?.version ?? 0n) + 1n,
    lease,
  };
}

function removal(key: string, { revision, versions }: Step): Version {
  const place = versions.length;
  return { key, revision, place, deleted: true, createRevision: 0n, version: 0n, lease: 0n };
}
