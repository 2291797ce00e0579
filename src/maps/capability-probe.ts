import { closeFd, type Errno, KernelError, type MapCreation, pageSize } from "../kernel/index.js";
import { creationBtf } from "./btf-blob.js";
import { probeFlags } from "./capability-probe-flags.js";
import { type Limits, probeLimits } from "./capability-probe-limits.js";
import { probeOperations, probeSingleCpuWrite } from "./capability-probe-operations.js";
import { withStructOpsMap } from "./capability-probe-struct-ops.js";
import { isExhausted, isRefusal, tryCreate, withTrialMap } from "./capability-probe-trial.js";
import type { TypeCapabilities } from "./capability-table.js";
import { MapType } from "./map-type.js";
import { type EntriesRule, TYPE_FACTS, type TypeFacts } from "./type-facts.js";

type Found = Pick<TypeCapabilities, "availability"> &
  Partial<Pick<TypeCapabilities, "operations" | "createFlags" | "singleCpuWrite"> & Limits>;

/**
 * Tries every type that this version knows on maps made for it, which are gone
 * afterwards. Throws KernelError where memory or file descriptors run out.
 */
export function probeTypes(): TypeCapabilities[] {
  const entries = smallestEntries(pageSize());
  return TYPE_FACTS.map((facts) =>
    capabilitiesOf(facts, probeType(facts, entries[facts.maxEntries])),
  );
}

function smallestEntries(page: number): Record<EntriesRule, number> {
  return { any: 1, zero: 0, one: 1, ring: page, pages: 1, cpus: 1 };
}

function probeType(facts: TypeFacts, maxEntries: number): Found {
  const creation: MapCreation = {
    type: facts.type,
    keySize: facts.keySize.always,
    valueSize: facts.valueSize.always,
    maxEntries,
    flags: facts.requiredFlags,
  };
  try {
    return facts.hasInnerMap ? probeMapInMap(facts, creation) : probeWithBtf(facts, creation);
  } catch (error) {
    if (!(error instanceof KernelError) || isExhausted(error.errno)) throw error;
    return { availability: isRefusal(error.errno) ? "denied" : "unavailable" };
  }
}

function probeMapInMap(facts: TypeFacts, creation: MapCreation): Found {
  const inner = { type: MapType.HASH, keySize: 4, valueSize: 4, maxEntries: 1 };
  return withTrialMap(inner, (innerMapFd) => probeMap(facts, { ...creation, innerMapFd }));
}

function probeWithBtf(facts: TypeFacts, creation: MapCreation): Found {
  const btf = creationBtf(creation);
  const withBtf = { ...creation, ...btf };
  try {
    return facts.type === MapType.STRUCT_OPS
      ? probeStructOps(facts, withBtf)
      : probeMap(facts, withBtf);
  } finally {
    if (btf.btfFd !== undefined) closeFd(btf.btfFd);
  }
}

function probeMap(facts: TypeFacts, creation: MapCreation): Found {
  return {
    availability: "available",
    ...withTrialMap(creation, (fd) => ({
      ...probeSingleCpuWrite(fd, facts),
      operations: probeOperations(fd, facts),
    })),
    createFlags: probeFlags(creation, (errno) => errno === undefined),
    ...probeLimits(facts, creation),
  };
}

/**
 * libbpf's way to tell whether the type is there (libbpf_probe_bpf_map_type): the kernel
 * answers ENOTSUPP to a value type that is no struct_ops, and only the type's own code
 * gets so far. Operations need a real value type.
 */
function probeStructOps(facts: TypeFacts, creation: MapCreation): Found {
  const noStructOps = { ...creation, btfVmlinuxValueTypeId: 1 };
  const isKnown = (errno: Errno | undefined) => errno === "ENOTSUPP";
  const errno = tryCreate(noStructOps);
  if (!isKnown(errno)) throw new KernelError(errno ?? "EINVAL", "BPF_MAP_CREATE");
  return {
    availability: "available",
    operations: withStructOpsMap(creation, (fd) => probeOperations(fd, facts)) ?? [],
    createFlags: probeFlags(noStructOps, isKnown),
  };
}

function capabilitiesOf(facts: TypeFacts, found: Found): TypeCapabilities {
  return {
    type: facts.type,
    name: facts.name,
    operations: [],
    createFlags: 0,
    requiredCreateFlags: facts.requiredFlags,
    keyKind: facts.keyKind,
    valueKind: facts.valueKind,
    minKeySize: facts.keySize.min,
    maxKeySize: facts.keySize.max,
    minValueSize: facts.valueSize.min,
    maxValueSize: facts.valueSize.max,
    zeroMaxEntries: facts.maxEntries === "zero",
    maxMaxEntries: 0,
    ...(facts.valueKind === "perCpu" && { singleCpuWrite: "readModifyWrite" }),
    evicts: facts.evicts,
    notes: facts.notes,
    ...found,
  };
}
