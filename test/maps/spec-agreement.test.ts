import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  closeFd,
  type Errno,
  KernelError,
  mapCreate,
  pageSize,
  possibleCpus,
} from "#dist/kernel/index.js";
import { creationBtf } from "#dist/maps/btf-blob.js";
import { CapabilityTable } from "#dist/maps/capability-table.js";
import { MapError } from "#dist/maps/map-error.js";
import { isPerCpu } from "#dist/maps/map-layout.js";
import { CreateFlag, type MapSpec } from "#dist/maps/map-spec.js";
import { MapType } from "#dist/maps/map-type.js";
import { checkSpec } from "#dist/maps/spec-check.js";
import { factsOf, TYPE_FACTS, type TypeFacts } from "#dist/maps/type-facts.js";
import type { SizeRule } from "#dist/maps/type-facts-size.js";

/*
 * What checkSpec lets pass, the kernel must take, unless it has no memory; what it
 * refuses, the kernel must refuse. Specs are random, near the limits of their type.
 */

const table = CapabilityTable.probe();
const context = { possibleCpus: possibleCpus(), pageSize: pageSize() };

/** More than this a test must not make the kernel allocate. */
const MOST_BYTES = 16 << 20;
const MOST_PER_CPU_BYTES = 4 << 20;
/** What an element costs beside its key and value, about. */
const OVERHEAD = 64;

/** The kernel takes these, the daemon does not, on purpose. */
const STRICTER = CreateFlag.RDONLY | CreateFlag.WRONLY;
const FD_FLAGS = CreateFlag.PATH_FD | CreateFlag.TOKEN_FD | CreateFlag.VTYPE_BTF_OBJ_FD;
const FLAGS = Object.values(CreateFlag).filter((flag) => !(flag & (STRICTER | FD_FLAGS)));
const UNKNOWN_BIT = 1 << 25;

/** struct_ops needs a value type of this very kernel's BTF. */
const TYPES = TYPE_FACTS.filter(({ type }) => type !== MapType.STRUCT_OPS);

const INNER: MapSpec = {
  type: MapType.HASH,
  name: "",
  keySize: 4,
  valueSize: 4,
  maxEntries: 1,
  flags: 0,
  mapExtra: 0n,
  numaNode: 0,
  ifindex: 0,
  btfVmlinuxValueTypeId: 0,
};

describe("checkSpec and the kernel agree", () => {
  let innerMapFd = 0;
  beforeAll(() => {
    innerMapFd = mapCreate(INNER);
    return () => closeFd(innerMapFd);
  });

  it.each(TYPES.map((facts) => [facts.name, facts] as const))("on specs of type %s", (_, facts) => {
    fc.assert(
      fc.property(specs(facts), (spec) => {
        fc.pre(isAffordable(spec));
        const verdict = check(spec);
        const errno = create(spec, innerMapFd);
        if (verdict) expect(errno).not.toBe("none");
        else expect(["none", "ENOMEM"]).toContain(errno);
      }),
      { numRuns: 250 },
    );
  });

  it.each(TYPES.map((facts) => [facts.name, facts] as const))(
    "on all flags together that type %s takes one by one",
    (_, facts) => {
      const accepted = (table.of(facts.type)?.createFlags ?? 0) & ~STRICTER;
      // A size that suits stack traces with and without build ids.
      const valueSize = facts.type === MapType.STACK_TRACE ? 32 : facts.valueSize.always;
      for (const flags of subsets(FLAGS.filter((flag) => flag & accepted))) {
        const spec = { ...smallest(facts), valueSize, flags };
        const isTaken = create(spec, innerMapFd) === "none";
        expect([flags, check(spec) === undefined]).toEqual([flags, isTaken]);
      }
    },
  );

  it.each(TYPES.map((facts) => [facts.name, facts] as const))(
    "on the smallest map of type %s",
    (name, facts) => {
      const spec = smallest(facts);
      const isThere = table.of(facts.type)?.availability === "available";
      expect([name, check(spec)]).toEqual([name, isThere ? undefined : "UNKNOWN_MAP_TYPE"]);
      expect(create(spec, innerMapFd) === "none").toBe(isThere);
    },
  );
});

/** Every OR of some of these flags, of none and of all. */
function subsets(flags: readonly number[]): number[] {
  return flags.reduce((sets, flag) => sets.concat(sets.map((set) => set | flag)), [0]);
}

function smallest(facts: TypeFacts): MapSpec {
  return {
    ...INNER,
    type: facts.type,
    keySize: facts.keySize.always,
    valueSize: facts.valueSize.always,
    maxEntries: { any: 1, zero: 0, one: 1, ring: context.pageSize, pages: 1, cpus: 1 }[
      facts.maxEntries
    ],
    flags: facts.requiredFlags,
    ...(facts.hasInnerMap && { innerMapSpec: INNER }),
  };
}

function specs(facts: TypeFacts): fc.Arbitrary<MapSpec> {
  const capabilities = table.of(facts.type);
  const right = smallest(facts);
  return fc
    .record({
      keySize: sizes(facts.keySize, capabilities?.maxKeySize ?? 0),
      valueSize: sizes(facts.valueSize, capabilities?.maxValueSize ?? 0),
      maxEntries: mostly(right.maxEntries, entries(capabilities?.maxMaxEntries ?? 0)),
      flags: flags(facts),
      name: mostly("", names()),
      mapExtra: mostly(0n, extras()),
    })
    .map((fields) => ({ ...right, ...fields }));
}

function mostly<T>(usual: T, other: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: fc.constant(usual), weight: 2 }, { arbitrary: other, weight: 1 });
}

/** Sizes of all kinds, most of them allowed or one away from it. */
function sizes(rule: SizeRule, probed: number): fc.Arbitrary<number> {
  const max = rule.max || probed;
  const step = rule.multipleOf ?? 1;
  const edges = [rule.min, max, ...(rule.only ?? [])].flatMap((size) => [
    size - step,
    size - 1,
    size,
    size + 1,
    size + step,
  ]);
  const inside = rule.only
    ? fc.constantFrom(...rule.only)
    : fc.integer({ min: rule.min / step, max: 40 }).map((steps) => steps * step);
  return fc.oneof(
    { arbitrary: inside, weight: 6 },
    { arbitrary: fc.constantFrom(...edges.map(asU32)), weight: 2 },
    { arbitrary: fc.constantFrom(0, 1, 3, 4, 5, 8, 255, 4096, 0x7fffffff, 0xffffffff), weight: 1 },
  );
}

function asU32(number: number): number {
  return Math.min(Math.max(number, 0), 0xffffffff);
}

function entries(most: number): fc.Arbitrary<number> {
  const page = context.pageSize;
  const arena = 2 ** 32 / page;
  return fc.oneof(
    fc.integer({ min: 0, max: 2000 }),
    fc.constantFrom(page, 2 * page, 3 * page, page - 1, page / 2, 16 * page, arena, arena + 1),
    fc.constantFrom(asU32(most - 1), most, most + 1, 2 ** 31, 0xffffffff),
  );
}

function flags(facts: TypeFacts): fc.Arbitrary<number> {
  const extra = fc.subarray([...FLAGS, UNKNOWN_BIT], { minLength: 0, maxLength: 2 });
  const required = mostly(facts.requiredFlags, fc.constant(0));
  return fc
    .tuple(required, mostly([], extra))
    .map(([needed, more]) => more.reduce((all, flag) => all | flag, needed));
}

function names(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9_.]{1,15}$/),
    fc.constantFrom("a-b", "a b", "a/b", "a\nb", "~"),
  );
}

function extras(): fc.Arbitrary<bigint> {
  const page = BigInt(context.pageSize);
  return fc.constantFrom(1n, 15n, 16n, page, page + 1n, 2n ** 32n - page, 2n ** 32n, 7n * page);
}

/** Whether the kernel may be asked: it would take memory as it is told. */
function isAffordable(spec: MapSpec): boolean {
  if (factsOf(spec.type)?.maxEntries === "pages") return true;
  const perCpu = isPerCpu(spec.type);
  const slots = perCpu ? context.possibleCpus.length : 1;
  const bytes = (spec.keySize + spec.valueSize * slots + OVERHEAD) * (spec.maxEntries + 1);
  // The kernel looks at the name last, when it has allocated everything.
  const isRefused = check({ ...spec, name: "" }) !== undefined && spec.maxEntries <= 2000;
  return isRefused || bytes <= (perCpu ? MOST_PER_CPU_BYTES : MOST_BYTES);
}

/** The reason why checkSpec refuses a spec, or undefined. */
function check(spec: MapSpec): string | undefined {
  try {
    checkSpec(spec, table, context);
    return undefined;
  } catch (error) {
    if (!(error instanceof MapError)) throw error;
    expect(error.violations.length).toBeGreaterThan(0);
    return error.reason;
  }
}

/** What the kernel answers: an errno, or "none" where it made the map. */
function create(spec: MapSpec, innerMapFd: number): Errno {
  let btfFd: number | undefined;
  try {
    const btf = creationBtf(spec);
    btfFd = btf.btfFd;
    const inner = spec.innerMapSpec ? { innerMapFd } : {};
    closeFd(mapCreate({ ...spec, ...btf, ...inner }));
    return "none";
  } catch (error) {
    if (error instanceof KernelError) return error.errno;
    throw error;
  } finally {
    if (btfFd !== undefined) closeFd(btfFd);
  }
}
