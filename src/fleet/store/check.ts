import type { KeyRange } from "./key-range.js";
import { LIMITS } from "./limits.js";
import type { RangeQuery, WatchQuery } from "./store.js";
import { StoreError } from "./store-error.js";
import type { Comparison, Operation, Transaction } from "./transaction.js";

const KEY = /^[\x21-\x7e]+$/;
const NOT_ASCII = /[^\p{ASCII}]/u;
const MAX_INT64 = 2n ** 63n - 1n;

/** Refuses a key that breaks the rules of keys. */
export function checkKey(key: string): void {
  if (key.length > LIMITS.keyLength || !KEY.test(key)) {
    throw invalid(
      `key ${JSON.stringify(key.slice(0, 80))} is not 1 to ${LIMITS.keyLength} printable ASCII characters without spaces`,
    );
  }
}

/** Refuses a range that cannot have keys. */
export function checkRange({ from, to }: KeyRange): void {
  if (NOT_ASCII.test(from + to)) throw invalid("a range has bounds of ASCII characters");
  if (from >= to)
    throw invalid(`the range from ${JSON.stringify(from)} to ${JSON.stringify(to)} is empty`);
}

/** Refuses a range read that breaks a rule. */
export function checkRangeQuery({ range, revision, limit }: RangeQuery): void {
  checkRange(range);
  checkRevision(revision);
  if (limit === undefined) return;
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMITS.rangeEntries) {
    throw invalid(`limit ${limit} is not a whole number from 1 to ${LIMITS.rangeEntries}`);
  }
}

/** Refuses a revision that no store has; undefined is for the newest. */
export function checkRevision(revision: bigint | undefined): void {
  if (revision !== undefined && (revision < 1n || revision > MAX_INT64)) {
    throw invalid(`revision ${revision} is not from 1 to 2^63 - 1`);
  }
}

/** Refuses a watch that breaks a rule. */
export function checkWatch({ range, from }: WatchQuery): void {
  checkRange(range);
  checkRevision(from);
}

/** Refuses a time to live that no lease has. */
export function checkLeaseSeconds(seconds: number): void {
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > LIMITS.leaseSeconds) {
    throw invalid(`a lease of ${seconds} s is not of 1 to ${LIMITS.leaseSeconds} whole seconds`);
  }
}

/** Refuses what cannot be the id of a lease. */
export function checkLease(id: bigint): void {
  if (id < 1n || id > MAX_INT64) throw invalid(`lease ${id} is not from 1 to 2^63 - 1`);
}

/** Refuses a transaction that breaks a rule, whatever its comparisons would say. */
export function checkTransaction(transaction: Transaction): void {
  const { compare = [], success = [], failure = [] } = transaction;
  checkCount("comparisons", compare.length);
  for (const comparison of compare) checkComparison(comparison);
  checkBranch("success", success);
  checkBranch("failure", failure);
  const bytes = transactionBytes(transaction);
  if (bytes > LIMITS.transactionBytes) {
    throw invalid(
      `the transaction's keys and values have ${bytes} bytes, the limit is ${LIMITS.transactionBytes}: write in several steps`,
    );
  }
}

/** Bytes of all keys and values of a transaction. */
export function transactionBytes(transaction: Transaction): number {
  const { compare = [], success = [], failure = [] } = transaction;
  let bytes = 0;
  for (const { key } of compare) bytes += key.length;
  for (const operation of [...success, ...failure]) {
    bytes += operation.key.length + (operation.do === "put" ? operation.value.length : 0);
  }
  return bytes;
}

function checkComparison({ key, than }: Comparison): void {
  checkKey(key);
  if (than < 0n || than > MAX_INT64)
    throw invalid(`${key} is compared with ${than}, which is not from 0 to 2^63 - 1`);
}

function checkBranch(name: string, operations: readonly Operation[]): void {
  checkCount(`operations in ${name}`, operations.length);
  const written = new Set<string>();
  for (const operation of operations) {
    checkKey(operation.key);
    if (operation.do === "get") continue;
    if (operation.do === "put" && operation.lease !== undefined) checkLease(operation.lease);
    if (written.has(operation.key)) throw invalid(`${operation.key} is written twice in ${name}`);
    written.add(operation.key);
  }
}

function checkCount(what: string, count: number): void {
  if (count > LIMITS.operations) {
    throw invalid(`${count} ${what} are more than ${LIMITS.operations}: write in several steps`);
  }
}

function invalid(message: string): StoreError {
  return new StoreError("INVALID_ARGUMENT", message);
}
