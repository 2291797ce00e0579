import type { UpdateMode } from "../gen/bpfmap/v1/element_pb.js";

/** What a single call does. Operations of one kind and mode can share a request. */
export type OperationKind =
  | { readonly kind: "lookup" }
  | { readonly kind: "delete" }
  | { readonly kind: "update"; readonly mode: UpdateMode };

/** A single call that waits for its turn. */
export interface Operation {
  readonly what: OperationKind;
  readonly key: Uint8Array;
  /** Of updates; empty for others. */
  readonly value: Uint8Array;
  /** The value found, whether there was something to delete, or nothing. */
  resolve(result: Uint8Array | boolean | undefined): void;
  reject(error: unknown): void;
}

/** Whether two operations can stand in one request. */
export function isAlike(one: OperationKind, other: OperationKind): boolean {
  if (one.kind !== other.kind) return false;
  return one.kind !== "update" || one.mode === (other as typeof one).mode;
}
