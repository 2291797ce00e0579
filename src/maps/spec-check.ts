import type { CapabilityTable, TypeCapabilities } from "./capability-table.js";
import { type FieldViolation, MapError } from "./map-error.js";
import { CreateFlag, type MapSpec } from "./map-spec.js";
import { MapType } from "./map-type.js";
import { flagViolations } from "./spec-check-flags.js";
import { sizeViolations } from "./spec-check-sizes.js";
import { factsOf, type TypeFacts } from "./type-facts.js";

export { explainCreateFailure } from "./spec-check-failure.js";

/** What of the host a spec is checked against. */
export interface SpecContext {
  readonly possibleCpus: readonly number[];
  /** In bytes. */
  readonly pageSize: number;
}

/** A spec in the light of what its type and this kernel want. */
export interface SpecCase {
  readonly spec: MapSpec;
  readonly facts: TypeFacts;
  readonly capabilities: TypeCapabilities;
  readonly context: SpecContext;
  /** Path of the spec in the request, such as "spec" or "spec.inner_map_spec". */
  readonly field: string;
}

/**
 * Refuses a spec that the kernel would refuse, as far as that is known before the call,
 * or would take for something else than it says. All violations are told at once.
 * Throws MapError UNKNOWN_MAP_TYPE, UNKNOWN_FLAG or SPEC_INVALID.
 *
 * @param field path of the spec in the request
 */
export function checkSpec(
  spec: MapSpec,
  table: CapabilityTable,
  context: SpecContext,
  field = "spec",
): void {
  const checked = caseOf(spec, table, context, field);
  const flags = flagViolations(checked);
  const violations = [
    ...flags,
    ...sizeViolations(checked),
    ...nameViolations(checked),
    ...extraViolations(checked),
    ...innerMapViolations(checked),
    ...attributeViolations(checked),
  ];
  if (violations.length > 0) throw refused(flags.some(isUnknownFlag), violations);
  if (spec.innerMapSpec) {
    checkSpec(spec.innerMapSpec, table, context, `${field}.inner_map_spec`);
  }
}

function isUnknownFlag(violation: { readonly unknown: boolean }): boolean {
  return violation.unknown;
}

function refused(hasUnknownFlag: boolean, violations: readonly FieldViolation[]): MapError {
  const texts = violations.map(({ field, description }) => `${field}: ${description}`);
  return new MapError(
    hasUnknownFlag ? "UNKNOWN_FLAG" : "SPEC_INVALID",
    `the map cannot be created as asked: ${texts.join("; ")}`,
    { violations: violations.map(({ field, description }) => ({ field, description })) },
  );
}

function caseOf(
  spec: MapSpec,
  table: CapabilityTable,
  context: SpecContext,
  field: string,
): SpecCase {
  const facts = factsOf(spec.type);
  const capabilities = table.of(spec.type);
  if (!facts || !capabilities) {
    throw unknownType(spec, field, `${spec.type} is not a map type that this version knows`);
  }
  if (capabilities.availability === "unavailable") {
    throw unknownType(spec, field, `this kernel does not have maps of type ${facts.name}`);
  }
  return { spec, facts, capabilities, context, field };
}

function unknownType(spec: MapSpec, field: string, description: string): MapError {
  return new MapError("UNKNOWN_MAP_TYPE", `${field}.type: ${description}`, {
    violations: [{ field: `${field}.type`, description }],
    metadata: { type: String(spec.type) },
  });
}

/** bpf_obj_name_cpy of kernel/bpf/syscall.c. */
const NAME = /^[A-Za-z0-9_.]{0,15}$/;

function nameViolations({ spec, field }: SpecCase): FieldViolation[] {
  if (NAME.test(spec.name)) return [];
  return [
    {
      field: `${field}.name`,
      description: `${JSON.stringify(spec.name)} given; a name has at most 15 characters of A-Z, a-z, 0-9, "_" and "."`,
    },
  ];
}

function extraViolations(checked: SpecCase): FieldViolation[] {
  const description = wrongExtra(checked);
  return description ? [{ field: `${checked.field}.map_extra`, description }] : [];
}

const FOUR_GIB = 2n ** 32n;

function wrongExtra({ spec, facts, context }: SpecCase): string | undefined {
  const { mapExtra } = spec;
  const given = `0x${mapExtra.toString(16)} given`;
  switch (facts.mapExtra) {
    case "none":
      return mapExtra === 0n
        ? undefined
        : `${given}; ${facts.name} maps have none, so it must be 0`;
    case "hashes":
      return mapExtra <= 15n ? undefined : `${given}; it is a number of hash functions, 0 to 15`;
    case "address": {
      const page = BigInt(context.pageSize);
      if (mapExtra % page !== 0n)
        return `${given}; it is an address of a whole page of ${page} bytes`;
      // arena_map_alloc: an arena's user addresses differ in their lower 32 bits alone.
      const size = BigInt(spec.maxEntries) * page;
      const last = mapExtra + (size > FOUR_GIB ? FOUR_GIB : size) - 1n;
      const crosses = size > 0n && mapExtra / FOUR_GIB !== last / FOUR_GIB;
      return crosses ? `${given}; an arena must not cross a boundary of 4 GiB` : undefined;
    }
    case "hint":
      return undefined;
  }
}

function innerMapViolations({ spec, facts, field }: SpecCase): FieldViolation[] {
  const given = [
    spec.innerMapSpec && `${field}.inner_map_spec`,
    spec.innerMap && `${field}.inner_map`,
  ].filter((name) => name !== undefined);
  if (!facts.hasInnerMap) {
    return given.map((name) => ({
      field: name,
      description: `given, but ${facts.name} maps have no inner maps`,
    }));
  }
  if (given.length !== 1) {
    const description = `${given.length ? "both" : "neither"} given; ${facts.name} maps need exactly one of inner_map_spec and inner_map`;
    return [{ field: given[0] ?? `${field}.inner_map_spec`, description }];
  }
  // bpf_map_meta_alloc allows one level.
  if (!spec.innerMapSpec || !factsOf(spec.innerMapSpec.type)?.hasInnerMap) return [];
  return [
    {
      field: `${field}.inner_map_spec.type`,
      description: `${factsOf(spec.innerMapSpec.type)?.name} given; an inner map cannot have inner maps itself`,
    },
  ];
}

function attributeViolations({ spec, facts, field }: SpecCase): FieldViolation[] {
  const violations: FieldViolation[] = [];
  const refuse = (name: string, description: string) =>
    violations.push({ field: `${field}.${name}`, description });
  // The kernel would not look at it.
  if (spec.numaNode !== 0 && !(spec.flags & CreateFlag.NUMA_NODE)) {
    refuse("numa_node", `${spec.numaNode} given, but flags lack NUMA_NODE`);
  }
  // bpf_map_offload_map_alloc of kernel/bpf/offload.c.
  if (spec.ifindex !== 0 && spec.type !== MapType.HASH && spec.type !== MapType.ARRAY) {
    refuse("ifindex", `${spec.ifindex} given; only hash and array maps can be offloaded`);
  }
  for (const [name, description] of btfViolations(spec)) refuse(name, description);
  const valueType = spec.btfVmlinuxValueTypeId;
  if (facts.btf === "object" && valueType === 0) {
    refuse("btf_vmlinux_value_type_id", `missing; ${facts.name} maps need the id of a struct`);
  } else if (facts.btf !== "object" && valueType !== 0) {
    refuse("btf_vmlinux_value_type_id", `${valueType} given; only struct_ops maps have one`);
  }
  return violations;
}

/** map_create looks at type ids only beside a BTF object, and wants a value type then. */
function* btfViolations(spec: MapSpec): Generator<[name: string, description: string]> {
  const { btf, btfId, btfKeyTypeId = 0, btfValueTypeId = 0 } = spec;
  if (btf && btfId !== undefined) yield ["btf_id", "given beside btf; one of them"];
  const hasBtf = btf !== undefined || btfId !== undefined;
  if (!hasBtf && btfKeyTypeId !== 0) {
    yield ["btf_key_type_id", `${btfKeyTypeId} given, but neither btf nor btf_id`];
  }
  if (!hasBtf && btfValueTypeId !== 0) {
    yield ["btf_value_type_id", `${btfValueTypeId} given, but neither btf nor btf_id`];
  }
  if (hasBtf && btfValueTypeId === 0 && btfKeyTypeId !== 0) {
    yield ["btf_value_type_id", "missing; a key's type needs a value's beside it"];
  }
}
