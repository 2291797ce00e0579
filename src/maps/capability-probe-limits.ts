import type { MapCreation } from "../kernel/index.js";
import { PLAIN_TYPE_IDS } from "./btf-blob.js";
import { tryCreate } from "./capability-probe-trial.js";
import type { TypeCapabilities } from "./capability-table.js";
import { MapType } from "./map-type.js";
import type { TypeFacts } from "./type-facts.js";
import { atLeast, type SizeRule } from "./type-facts-size.js";

/** What only the running kernel can tell of sizes. */
export type Limits = Partial<
  Pick<TypeCapabilities, "maxKeySize" | "maxValueSize" | "maxMaxEntries">
>;

const U32_MAX = 0xffffffff;

/** The index of a network device that cannot be there: indices are positive ints. */
const NO_DEVICE = 0x7fffffff;

/** Finds the limits that the type itself does not set. */
export function probeLimits(facts: TypeFacts, creation: MapCreation): Limits {
  const { keySize, valueSize } = facts;
  return {
    ...(keySize.max === 0 && !keySize.only && { maxKeySize: largestKey(keySize, creation) }),
    ...(valueSize.max === 0 && !valueSize.only && { maxValueSize: largestValue(facts, creation) }),
    ...(facts.maxEntries === "cpus" && { maxMaxEntries: mostEntries(creation) }),
  };
}

function largestKey(rule: SizeRule, creation: MapCreation): number {
  return largest(rule, (keySize) => isTooLarge({ ...creation, keySize }));
}

function largestValue(facts: TypeFacts, creation: MapCreation): number {
  const rule = facts.valueSize;
  switch (facts.valueLimit) {
    case "check":
      return largest(rule, (valueSize) => isTooLarge({ ...creation, valueSize }));
    case "creation":
      return largest(rule, (valueSize) => tryCreate({ ...creation, valueSize }) !== undefined);
    case "allocation":
      return Math.max(0, largestAllocation() - TRIE_NODE);
  }
}

/**
 * LPM_VAL_SIZE_MAX of kernel/bpf/lpm_trie.c: a node has 24 bytes, and as many of data as
 * the longest key. Where nodes were larger (before 6.13), the kernel itself refuses the
 * few sizes that this allows too much.
 */
const TRIE_NODE = 24 + 256;

/** KMALLOC_MAX_SIZE, as queues show it (queue_stack_map_alloc_check); 0 where unknown. */
function largestAllocation(): number {
  const queue = { type: MapType.QUEUE, keySize: 0, valueSize: 1, maxEntries: 1 };
  return largest(atLeast(1), (valueSize) => isTooLarge({ ...queue, valueSize }));
}

function mostEntries(creation: MapCreation): number {
  return largest(atLeast(1), (maxEntries) => tryCreate({ ...creation, maxEntries }) === "E2BIG");
}

/**
 * Whether the kernel finds sizes too large, without any memory for them: it checks them
 * (`map_alloc_check`, E2BIG) before it looks for the network device that a map is to be
 * offloaded to, and this one is not there. Types whose code checks later always pass.
 */
function isTooLarge(creation: MapCreation): boolean {
  const { btfFd, ...rest } = creation;
  const types = btfFd === undefined ? {} : PLAIN_TYPE_IDS;
  return tryCreate({ ...rest, ...types, ifindex: NO_DEVICE }) === "E2BIG";
}

/** The largest number that is not refused, by halving; 0 where none is. */
function largest(rule: SizeRule, isRefused: (size: number) => boolean): number {
  const step = rule.multipleOf ?? 1;
  let good = rule.min / step;
  let bad = Math.floor(U32_MAX / step);
  if (!isRefused(bad * step)) return 0;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (isRefused(middle * step)) bad = middle;
    else good = middle;
  }
  return good * step;
}
