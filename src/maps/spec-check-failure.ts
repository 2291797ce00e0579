import {
  type Capability,
  type Errno,
  effectiveCapabilities,
  type KernelError,
} from "../kernel/index.js";
import type { CapabilityTable } from "./capability-table.js";
import { refusalOf } from "./explain.js";
import { type FieldViolation, MapError, type MapErrorReason } from "./map-error.js";
import { CreateFlag, type MapSpec } from "./map-spec.js";
import { MapType } from "./map-type.js";
import { factsOf } from "./type-facts.js";

interface Failure {
  readonly reason: MapErrorReason;
  readonly text: string;
  readonly violations?: readonly FieldViolation[];
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * The error for what the kernel refused although the spec passed `checkSpec`: what it
 * only finds out while it makes the map.
 *
 * @param field path of the spec in the request
 */
export function explainCreateFailure(
  error: KernelError,
  spec: MapSpec,
  table: CapabilityTable,
  field = "spec",
): MapError {
  const name = table.of(spec.type)?.name ?? `type ${spec.type}`;
  const { reason, text, violations, metadata } = failureOf(error, spec, field);
  return new MapError(reason, `cannot create the ${name} map of ${field}: ${text}`, {
    ...(violations && { violations }),
    metadata: { operation: "create", errno: error.errno, ...metadata },
    cause: error,
  });
}

function failureOf(error: KernelError, spec: MapSpec, field: string): Failure {
  switch (error.errno) {
    case "EPERM":
    case "EACCES":
      return denied(spec);
    case "ENOMEM":
      return outOfMemory(spec, field);
    case "E2BIG":
      return invalid(tooLarge(spec, field));
    case "EINVAL":
      return invalid(invalidFields(spec, field));
    case "ENOTSUPP":
    case "EOPNOTSUPP":
      return notSupported(spec, field);
    default:
      return unspecific(error.errno);
  }
}

function unspecific(errno: Errno): Failure {
  const { reason, advice } = refusalOf(errno);
  return { reason, text: advice };
}

function invalid(violations: readonly FieldViolation[]): Failure {
  const texts = violations.map(({ field, description }) => `${field}: ${description}`);
  return { reason: "SPEC_INVALID", text: texts.join("; "), violations };
}

function denied(spec: MapSpec): Failure {
  const capable = effectiveCapabilities();
  const missing = neededBy(spec).filter((name) => !capable.has(name));
  const isMissing = missing.length > 0 && !capable.has("CAP_SYS_ADMIN");
  return {
    reason: "KERNEL_DENIED",
    text: isMissing
      ? `the daemon lacks ${missing.join(" and ")}`
      : "the kernel refused the daemon, which has the capabilities; look for a security module, a user namespace or a memlock limit",
    metadata: isMissing ? { capability: missing.join(",") } : {},
  };
}

/** What map_create and the code of the types ask for; CAP_SYS_ADMIN stands for all of it. */
function neededBy(spec: MapSpec): Capability[] {
  const needsAdmin = (spec.flags & CreateFlag.ZERO_SEED) !== 0 || spec.ifindex !== 0;
  return [
    ...new Set<Capability>([
      "CAP_BPF",
      factsOf(spec.type)?.capability ?? "CAP_BPF",
      ...(needsAdmin ? (["CAP_SYS_ADMIN"] as const) : []),
    ]),
  ];
}

function outOfMemory(spec: MapSpec, field: string): Failure {
  const description = `${spec.maxEntries} given; the kernel has no memory for that many`;
  return {
    reason: "KERNEL_MEMORY",
    text: "the kernel has no memory for it; free some, or ask for fewer or smaller elements",
    violations: [{ field: `${field}.max_entries`, description }],
  };
}

/** Sizes were checked, so what is too much is the number of elements. */
function tooLarge(spec: MapSpec, field: string): FieldViolation[] {
  const violations = [
    {
      field: `${field}.max_entries`,
      description: `${spec.maxEntries} given, more than this kernel takes for the type`,
    },
  ];
  // A kernel before 5.16 answers E2BIG to an attribute that it does not know.
  if (spec.mapExtra === 0n) return violations;
  return [
    ...violations,
    { field: `${field}.map_extra`, description: "perhaps not known to this kernel" },
  ];
}

function invalidFields(spec: MapSpec, field: string): FieldViolation[] {
  const suspects: FieldViolation[] = [];
  const suspect = (name: string, description: string) =>
    suspects.push({ field: `${field}.${name}`, description });
  if (spec.flags & CreateFlag.NUMA_NODE) {
    suspect("numa_node", `${spec.numaNode} given; it must be a node that is online`);
  }
  if (spec.ifindex !== 0) suspects.push(wrongDevice(spec, field));
  if (spec.innerMap) suspect("inner_map", "the kernel does not take it for a template");
  if (spec.innerMapSpec) suspect("inner_map_spec", "the kernel does not take it for a template");
  if (spec.btfValueTypeId) {
    suspect("btf_value_type_id", `${spec.btfValueTypeId} given; its type must have value_size`);
    suspect("btf_key_type_id", `${spec.btfKeyTypeId ?? 0} given; its type must have key_size`);
  }
  if (spec.type === MapType.STRUCT_OPS) {
    suspect("value_size", `${spec.valueSize} given; it must be that of the value type`);
  }
  if (spec.type === MapType.LPM_TRIE) {
    suspect("value_size", `${spec.valueSize} given, probably too large`);
  }
  if (suspects.length > 0) return suspects;
  return [{ field, description: "the kernel refuses this combination of fields (EINVAL)" }];
}

function wrongDevice(spec: MapSpec, field: string): FieldViolation {
  const description = `${spec.ifindex} given; it must be a device that maps can be offloaded to`;
  return { field: `${field}.ifindex`, description };
}

function notSupported(spec: MapSpec, field: string): Failure {
  if (spec.type === MapType.STRUCT_OPS) {
    const description = `${spec.btfVmlinuxValueTypeId} given; it is no struct_ops value type of this kernel`;
    return invalid([{ field: `${field}.btf_vmlinux_value_type_id`, description }]);
  }
  if (spec.ifindex !== 0) return invalid([wrongDevice(spec, field)]);
  if (spec.innerMap || spec.innerMapSpec) {
    const name = spec.innerMap ? "inner_map" : "inner_map_spec";
    const description = "maps of its type, or with its features, cannot be inner maps";
    return invalid([{ field: `${field}.${name}`, description }]);
  }
  return {
    reason: "OPERATION_NOT_SUPPORTED",
    text: "this kernel does not support it",
  };
}
