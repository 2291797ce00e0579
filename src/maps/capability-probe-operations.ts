import {
  BatchCalls,
  ElementCalls,
  ElementFlag,
  type Errno,
  KernelError,
  mapFreeze,
  mapInfo,
  possibleCpus,
} from "../kernel/index.js";
import type { MapOperation, TypeCapabilities } from "./capability-table.js";
import { layoutOf, type MapLayout } from "./map-layout.js";
import { MapType } from "./map-type.js";
import type { TypeFacts } from "./type-facts.js";

type Answers = readonly (readonly [MapOperation, Errno | undefined])[];

/** Numbers that mean an object to the kernel, and none that exists. */
const NO_FD = 0x7fffffff;

/** The index of the loopback device, in every network namespace. */
const LOOPBACK = 1;

/**
 * What the kernel answers to an operation that it does not have for a type. EINVAL is
 * such an answer because everything else about the attempts below is valid: it is what
 * array_map_delete_elem and queue_stack_map_delete_elem say, among others.
 */
const MISSING: ReadonlySet<Errno> = new Set(["ENOTSUPP", "EOPNOTSUPP", "EINVAL", "EPERM"]);

/**
 * The operations that the kernel has for a type, tried on a map that nobody else uses.
 * Freezes the map.
 */
export function probeOperations(fd: number, facts: TypeFacts): MapOperation[] {
  const layout = layoutOf(mapInfo(fd), possibleCpus());
  const answers = [
    ...tryElements(fd, layout, facts),
    ...tryBatches(fd, layout),
    ["freeze", tryFreeze(fd)] as const,
  ];
  return answers
    .filter(([, errno]) => !errno || !MISSING.has(errno))
    .map(([operation]) => operation);
}

function tryElements(fd: number, layout: MapLayout, facts: TypeFacts): Answers {
  return withElement(fd, layout, facts, (calls) => {
    const update = calls.update();
    setKey(calls, facts);
    // Bloom filters read the value, other types write it.
    const lookup = calls.lookup();
    const nextKey = calls.firstKey();
    const lookupAndDelete = calls.lookupAndDelete();
    const deletion = calls.delete();
    const isEmpty = facts.emptyDeleteIsEinval && deletion === "EINVAL";
    return [
      ["lookup", lookup],
      ["update", update],
      ["delete", isEmpty ? "ENOENT" : deletion],
      ["next_key", nextKey],
      ["lookup_and_delete", lookupAndDelete],
    ];
  });
}

/** A batch of no elements does nothing, but only where there is something to do it. */
function tryBatches(fd: number, layout: MapLayout): Answers {
  const calls = new BatchCalls(fd, layout.keySize, layout.valueStride, 0);
  try {
    return [
      ["lookup_batch", calls.lookup()],
      ["update_batch", calls.update(0)],
      ["delete_batch", calls.delete(0)],
      ["lookup_and_delete_batch", calls.lookupAndDelete()],
    ];
  } finally {
    calls.release();
  }
}

function tryFreeze(fd: number): Errno | undefined {
  try {
    mapFreeze(fd);
    return undefined;
  } catch (error) {
    if (error instanceof KernelError) return error.errno;
    throw error;
  }
}

/** How one CPU's slot is written: by the kernel where it knows BPF_F_CPU. */
export function probeSingleCpuWrite(
  fd: number,
  facts: TypeFacts,
): Pick<TypeCapabilities, "singleCpuWrite"> {
  if (facts.valueKind !== "perCpu") return {};
  const cpus = possibleCpus();
  const layout = layoutOf(mapInfo(fd), cpus);
  const errno = withElement(fd, layout, facts, (calls) => calls.update(ElementFlag.CPU, cpus[0]));
  // Per-CPU cgroup storage has no element to write, which it finds out after the flag.
  const isKnown = errno === undefined || errno === "ENOENT";
  return { singleCpuWrite: isKnown ? "kernel" : "readModifyWrite" };
}

/** An element that is valid for the type, but names no object that exists. */
function withElement<T>(
  fd: number,
  layout: MapLayout,
  facts: TypeFacts,
  use: (calls: ElementCalls) => T,
): T {
  const calls = new ElementCalls(fd, layout.keySize, layout.valueStride);
  try {
    setKey(calls, facts);
    setValue(calls, facts);
    return use(calls);
  } finally {
    calls.release();
  }
}

function setKey(calls: ElementCalls, facts: TypeFacts): void {
  calls.key.fill(0);
  if (facts.keyKind === "object") calls.key.writeInt32LE(NO_FD);
}

function setValue(calls: ElementCalls, facts: TypeFacts): void {
  calls.value.fill(0);
  if (facts.valueKind !== "object") return;
  switch (facts.type) {
    case MapType.DEVMAP:
    case MapType.DEVMAP_HASH:
      calls.value.writeInt32LE(LOOPBACK);
      break;
    case MapType.CPUMAP:
      // A queue of size 0 clears the entry.
      break;
    case MapType.STRUCT_OPS:
      // Every key but 0 is refused, with E2BIG, before the value is looked at.
      calls.key.writeUInt32LE(1);
      break;
    default:
      calls.value.writeInt32LE(NO_FD);
  }
}
