import type { MapInfo } from "../kernel/index.js";
import type { FieldViolation } from "./map-error.js";
import { CreateFlag, type MapSpec } from "./map-spec.js";
import { MapType } from "./map-type.js";
import type { SpecContext } from "./spec-check.js";
import { flagNames } from "./spec-check-flags.js";
import { factsOf } from "./type-facts.js";

/**
 * How an existing map differs from a spec, field by field; empty where the spec would
 * have made a map like it. The name may differ. What the kernel does not tell of a map
 * cannot be compared: its NUMA node, and the template of its inner maps.
 *
 * @param field path of the spec in the request
 */
export function compareSpec(
  spec: MapSpec,
  info: MapInfo,
  context: SpecContext,
  field = "spec",
): FieldViolation[] {
  const asked = asReported(spec, context);
  const compared: readonly (readonly [string, number | bigint, number | bigint, Show?])[] = [
    ["type", asked.type, info.type, typeName],
    ["key_size", asked.keySize, info.keySize],
    ["value_size", asked.valueSize, info.valueSize],
    ["max_entries", asked.maxEntries, info.maxEntries],
    ["flags", asked.flags, info.flags, (flags) => flagNames(Number(flags))],
    ["map_extra", asked.mapExtra, info.mapExtra],
    ["ifindex", asked.ifindex, info.ifindex],
    ["btf_vmlinux_value_type_id", asked.btfVmlinuxValueTypeId, info.btfVmlinuxValueTypeId],
  ];
  return compared
    .filter(([, wanted, found]) => wanted !== found)
    .map(([name, wanted, found, show = String]) => ({
      field: `${field}.${name}`,
      description: `${show(wanted)} asked for, the map has ${show(found)}`,
    }));
}

type Show = (value: number | bigint) => string;

function typeName(type: number | bigint): string {
  return factsOf(Number(type))?.name ?? `type ${type}`;
}

/** What the kernel would report of a map made from a spec. */
function asReported(spec: MapSpec, { possibleCpus }: SpecContext): MapSpec {
  switch (spec.type) {
    case MapType.DEVMAP:
    case MapType.DEVMAP_HASH:
      // dev_map_init_map: values that programs look up must not be written.
      return { ...spec, flags: spec.flags | CreateFlag.RDONLY_PROG };
    case MapType.LRU_HASH:
    case MapType.LRU_PERCPU_HASH:
      if (!(spec.flags & CreateFlag.NO_COMMON_LRU)) return spec;
      return { ...spec, maxEntries: roundedToCpus(spec.maxEntries, possibleCpus.length) };
    default:
      return spec;
  }
}

/** htab_map_alloc: each CPU's list has as many elements; down where up is too much. */
function roundedToCpus(maxEntries: number, cpus: number): number {
  const up = Math.ceil(maxEntries / cpus) * cpus;
  return up <= 0xffffffff ? up : Math.floor(maxEntries / cpus) * cpus;
}
