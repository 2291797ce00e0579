import type { FieldViolation } from "./map-error.js";
import { CreateFlag } from "./map-spec.js";
import { MapType } from "./map-type.js";
import type { SpecCase } from "./spec-check.js";
import type { SizeRule } from "./type-facts-size.js";

/** Bytes that all pages of an arena may have together (arena_map_alloc). */
const LARGEST_ARENA = 2 ** 32;

/** STACK_BUILD_ID stores 32 bytes a frame instead of 8 (stack_map_alloc). */
const BUILD_ID_FRAME = 32;
const FRAME = 8;

/** What is wrong with a spec's key_size, value_size and max_entries. */
export function sizeViolations(checked: SpecCase): FieldViolation[] {
  const { spec, facts, field } = checked;
  const key = wrongSize(spec.keySize, keyRule(checked));
  const value = wrongSize(spec.valueSize, valueRule(checked));
  const together = key || value ? undefined : tooLargeTogether(checked);
  const entries = wrongEntries(checked);
  return [
    ...(key ? [{ field: `${field}.key_size`, description: `${key} for ${facts.name} maps` }] : []),
    ...(value
      ? [{ field: `${field}.value_size`, description: `${value} for ${facts.name} maps` }]
      : []),
    ...(together ? [{ field: `${field}.value_size`, description: together }] : []),
    ...(entries ? [{ field: `${field}.max_entries`, description: entries }] : []),
  ];
}

function keyRule({ facts, capabilities }: SpecCase): SizeRule {
  return { ...facts.keySize, max: capabilities.maxKeySize };
}

function valueRule({ spec, facts, capabilities }: SpecCase): SizeRule {
  const rule = { ...facts.valueSize, max: capabilities.maxValueSize };
  const hasBuildIds = (spec.flags & CreateFlag.STACK_BUILD_ID) !== 0;
  if (spec.type !== MapType.STACK_TRACE || !hasBuildIds) return rule;
  const frames = rule.max / FRAME;
  return { ...rule, min: BUILD_ID_FRAME, multipleOf: BUILD_ID_FRAME, max: frames * BUILD_ID_FRAME };
}

function wrongSize(size: number, rule: SizeRule): string | undefined {
  const { min, max, only, multipleOf = 1 } = rule;
  const fits = only
    ? only.includes(size)
    : size >= min && (max === 0 || size <= max) && size % multipleOf === 0;
  return fits ? undefined : `${size} given, ${describe(rule)} wanted`;
}

function describe({ min, max, only, multipleOf }: SizeRule): string {
  if (only) return only.join(" or ");
  const range = max === 0 ? `at least ${min}` : `${min} to ${max}`;
  return multipleOf ? `${range} in steps of ${multipleOf}` : range;
}

/**
 * Hashes limit key and value together (htab_map_alloc_check). The probe found the limit
 * as the largest key beside the smallest value.
 */
function tooLargeTogether({ spec, facts, capabilities }: SpecCase): string | undefined {
  const isLimited = facts.keySize.max === 0 && capabilities.maxKeySize > 0;
  const limit = capabilities.maxKeySize + facts.valueSize.always;
  const together = spec.keySize + spec.valueSize;
  if (!isLimited || together <= limit) return undefined;
  return `${spec.valueSize} given, ${together} together with key_size; this kernel takes ${limit} for ${facts.name} maps`;
}

function wrongEntries({ spec, facts, capabilities, context }: SpecCase): string | undefined {
  const { maxEntries } = spec;
  const wanted = (what: string) => `${maxEntries} given, ${what} wanted for ${facts.name} maps`;
  const most = capabilities.maxMaxEntries;
  switch (facts.maxEntries) {
    case "any":
      return maxEntries > 0 ? undefined : wanted("at least 1");
    case "zero":
      return maxEntries === 0 ? undefined : wanted("0");
    case "one":
      return maxEntries === 1 ? undefined : wanted("1");
    case "ring":
      return isRing(maxEntries, context.pageSize)
        ? undefined
        : wanted(`a power of two, in bytes, and at least a page of ${context.pageSize},`);
    case "pages": {
      const pages = LARGEST_ARENA / context.pageSize;
      return maxEntries > 0 && maxEntries <= pages ? undefined : wanted(`1 to ${pages} pages`);
    }
    case "cpus":
      return maxEntries > 0 && (most === 0 || maxEntries <= most)
        ? undefined
        : wanted(most === 0 ? "at least 1" : `1 to ${most}, the CPUs that this kernel can have,`);
  }
}

function isRing(bytes: number, pageSize: number): boolean {
  return bytes >= pageSize && bytes % pageSize === 0 && Number.isInteger(Math.log2(bytes));
}
