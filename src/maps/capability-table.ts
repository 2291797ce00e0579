import { probeTypes } from "./capability-probe.js";
import type { MapType } from "./map-type.js";
import type { KeyKind, ValueKind } from "./type-facts.js";

/** An operation of user space on a map; in the order of the contract's enum. */
export type MapOperation =
  | "lookup"
  | "update"
  | "delete"
  | "next_key"
  | "lookup_and_delete"
  | "lookup_batch"
  | "update_batch"
  | "delete_batch"
  | "lookup_and_delete_batch"
  | "freeze";

/** What the running kernel accepts for one map type; sizes in bytes. Plain data. */
export interface TypeCapabilities {
  readonly type: MapType;
  /** Name in bpftool's and libbpf's spelling, such as "percpu_hash". */
  readonly name: string;
  /**
   * Whether a map of the type can be created. "denied": the kernel refused the daemon,
   * so it cannot tell.
   */
  readonly availability: "available" | "unavailable" | "denied";
  /** The operations that the kernel accepts; empty where no map could be made to try. */
  readonly operations: readonly MapOperation[];
  /** An OR of the `CreateFlag`s that the kernel accepts. */
  readonly createFlags: number;
  /** An OR of the `CreateFlag`s without which the kernel refuses the type. */
  readonly requiredCreateFlags: number;
  readonly keyKind: KeyKind;
  readonly valueKind: ValueKind;
  readonly minKeySize: number;
  /** 0 where only the kernel's memory limits it. */
  readonly maxKeySize: number;
  readonly minValueSize: number;
  /** 0 where only the kernel's memory limits it. */
  readonly maxValueSize: number;
  /** Whether max_entries must be 0. */
  readonly zeroMaxEntries: boolean;
  /** Largest max_entries; 0 where only the kernel's memory limits it. */
  readonly maxMaxEntries: number;
  /** How one CPU's slot of a value is written; absent for types that are not per-CPU. */
  readonly singleCpuWrite?: "kernel" | "readModifyWrite";
  /** Whether a full map evicts elements instead of refusing new ones. */
  readonly evicts: boolean;
  /** Constraints and traps that the numbers cannot say, for people. */
  readonly notes: string;
}

/**
 * What this host's kernel accepts for each map type, as found by trying. It holds for
 * a boot and for the capabilities that the process had when it was made. Plain data:
 * `all()` can be posted to another thread and made a table again there.
 */
export class CapabilityTable {
  readonly #types: ReadonlyMap<MapType, TypeCapabilities>;

  constructor(types: Iterable<TypeCapabilities>) {
    this.#types = new Map([...types].map((type) => [type.type, type]));
  }

  /**
   * Tries everything on maps made for the purpose, which are gone afterwards. Throws
   * KernelError where the host is out of memory or file descriptors, because a table
   * made then would be wrong.
   */
  static probe(): CapabilityTable {
    return new CapabilityTable(probeTypes());
  }

  /** Every type that this version knows, by ascending number. */
  all(): TypeCapabilities[] {
    return [...this.#types.values()];
  }

  /** One type; undefined for a type that this version does not know. */
  of(type: MapType): TypeCapabilities | undefined {
    return this.#types.get(type);
  }

  /** Whether this kernel has an operation for a type. */
  supports(type: MapType, operation: MapOperation): boolean {
    return this.#types.get(type)?.operations.includes(operation) ?? false;
  }
}
