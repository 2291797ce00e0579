import type { FieldViolation } from "./map-error.js";
import { CreateFlag } from "./map-spec.js";
import type { SpecCase } from "./spec-check.js";

/** What is wrong with a spec's flags, and whether it is flags that do not exist here. */
export interface FlagViolation extends FieldViolation {
  readonly unknown: boolean;
}

const ALL = Object.values(CreateFlag).reduce((all, flag) => all | flag, 0);

/** Flags that say nothing of a map, with what they are about. */
const NOT_OF_MAPS: readonly (readonly [number, string])[] = [
  [CreateFlag.RDONLY, "concerns one file descriptor only; freeze the map, or use WRONLY_PROG"],
  [CreateFlag.WRONLY, "concerns one file descriptor only; use RDONLY_PROG"],
  [CreateFlag.PATH_FD, "concerns pinning only"],
  [CreateFlag.TOKEN_FD, "needs a token, which this service does not take"],
  [CreateFlag.VTYPE_BTF_OBJ_FD, "needs the BTF of a module, which this service does not take"],
];

/** Flags of which a map can only have one, and why. */
const EXCLUSIVE: readonly (readonly [number, string])[] = [
  // bpf_map_flags_access_ok
  [CreateFlag.RDONLY_PROG | CreateFlag.WRONLY_PROG, "programs could do neither"],
  // htab_map_alloc_check
  [
    CreateFlag.NO_COMMON_LRU | CreateFlag.NUMA_NODE,
    "the lists of the CPUs have memory of their own nodes",
  ],
];

/** Names of the flags that are set, for people; bits without a name in hexadecimal. */
export function flagNames(flags: number): string {
  const names = Object.entries(CreateFlag)
    .filter(([, flag]) => flags & flag)
    .map(([name]) => name);
  const nameless = flags & ~ALL;
  if (nameless !== 0) names.push(`0x${(nameless >>> 0).toString(16)}`);
  return names.join("|") || "none";
}

/** What is wrong with a spec's flags. */
export function flagViolations(checked: SpecCase): FlagViolation[] {
  const field = `${checked.field}.flags`;
  return [
    ...unknownFlags(checked).map((description) => ({ field, description, unknown: true })),
    ...misusedFlags(checked).map((description) => ({ field, description, unknown: false })),
  ];
}

function unknownFlags({ spec, facts, capabilities }: SpecCase): string[] {
  const descriptions: string[] = [];
  const nameless = spec.flags & ~ALL;
  if (nameless !== 0) descriptions.push(`${flagNames(nameless)} is not a create flag`);
  let rest = spec.flags & ALL;
  for (const [flag, about] of NOT_OF_MAPS) {
    if (rest & flag) descriptions.push(`${flagNames(flag)} ${about}`);
    rest &= ~flag;
  }
  // Of a type that the kernel refused to make, nothing is known.
  if (capabilities.availability !== "available") return descriptions;
  const refused = rest & ~capabilities.createFlags;
  if (refused !== 0) {
    descriptions.push(`this kernel does not accept ${flagNames(refused)} for ${facts.name} maps`);
  }
  return descriptions;
}

function misusedFlags({ spec, facts }: SpecCase): string[] {
  const missing = facts.requiredFlags & ~spec.flags;
  const exclusive = EXCLUSIVE.filter(([flags]) => (spec.flags & flags) === flags);
  return [
    ...(missing !== 0 ? [`${facts.name} maps need ${flagNames(missing)}`] : []),
    ...exclusive.map(([flags, why]) => `${flagNames(flags)} exclude each other: ${why}`),
  ];
}
