import type { Entry } from "./entry.js";

/** A number of a key's that a comparison looks at. All are 0 where the key is not there. */
export type ComparisonTarget = "version" | "createRevision" | "modRevision" | "lease";

/** One condition of a transaction. Values are not compared: their revisions tell as much. */
export interface Comparison {
  readonly key: string;
  readonly target: ComparisonTarget;
  readonly is: "=" | "!=" | "<" | ">";
  readonly than: bigint;
}

/** Writes a value, whether or not the key is there. */
export interface Put {
  readonly do: "put";
  readonly key: string;
  readonly value: Uint8Array;
  /** The lease that the key goes with; without it, none, even if there was one before. */
  readonly lease?: bigint;
}

/** Removes a key; of a key that is not there, nothing. */
export interface Delete {
  readonly do: "delete";
  readonly key: string;
}

/** Reads a key, with what the operations before it in the same transaction did. */
export interface Get {
  readonly do: "get";
  readonly key: string;
}

/** One step of a transaction. */
export type Operation = Put | Delete | Get;

/**
 * Does `success` where all of `compare` hold, `failure` otherwise: all of it, in this order, at
 * one revision, or nothing. Each branch writes a key once at most. See LIMITS for sizes.
 */
export interface Transaction {
  /** Nothing to hold where absent. */
  readonly compare?: readonly Comparison[];
  readonly success?: readonly Operation[];
  readonly failure?: readonly Operation[];
}

/** What came of one operation, in the place of the operation. */
export type OperationResult =
  | { readonly do: "put" }
  | { readonly do: "delete" /** Whether the key was there. */; readonly deleted: boolean }
  | { readonly do: "get"; readonly entry: Entry | undefined };

/** Holds where the key is not there. */
export function isAbsent(key: string): Comparison {
  return { key, target: "version", is: "=", than: 0n };
}

/** Holds where the key is there. */
export function isPresent(key: string): Comparison {
  return { key, target: "version", is: ">", than: 0n };
}

/** Holds where the key was last written at this revision: what compare-and-swap compares. */
export function isAt(key: string, modRevision: bigint): Comparison {
  return { key, target: "modRevision", is: "=", than: modRevision };
}

/** Writes a value; the key goes with the lease, if one is given. */
export function put(key: string, value: Uint8Array, lease?: bigint): Put {
  return lease === undefined ? { do: "put", key, value } : { do: "put", key, value, lease };
}

/** Removes a key. */
export function remove(key: string): Delete {
  return { do: "delete", key };
}

/** Reads a key. */
export function get(key: string): Get {
  return { do: "get", key };
}
