import fc from "fast-check";
import { Btf, BtfBuilder, type BtfMemberInit } from "#dist/kernel/index.js";
import { shapeOfBtfType } from "#dist/maps/typing/shape-builder.js";
import type { TypeShape } from "#dist/maps/typing/type-shape.js";

/** A type that adds itself, and what it is made of, to a BTF. */
interface TypePlan {
  readonly size: number;
  add(btf: BtfBuilder): number;
}

/** A member of a struct: a plain one, a bitfield, or an anonymous struct or union. */
interface MemberPlan {
  readonly type: TypePlan;
  readonly gap: number;
  readonly bits?: number;
  readonly shift?: number;
  readonly anonymous?: boolean;
}

const ints = fc
  .record({
    size: fc.constantFrom(1, 2, 4, 8, 16),
    signed: fc.boolean(),
    name: fc.constantFrom("num", "char"),
  })
  .map(
    ({ size, signed, name }): TypePlan => ({
      size,
      add: (btf) => btf.add({ kind: "int", name, size, signed }),
    }),
  );

const special = fc.constantFrom<TypePlan>(
  { size: 1, add: (btf) => btf.add({ kind: "int", name: "_Bool", size: 1, bool: true }) },
  { size: 1, add: (btf) => btf.add({ kind: "int", name: "letter", size: 1, char: true }) },
  { size: 8, add: (btf) => btf.add({ kind: "ptr", type: 0 }) },
  { size: 2, add: (btf) => btf.add({ kind: "float", name: "_Float16", size: 2 }) },
  { size: 4, add: (btf) => btf.add({ kind: "float", name: "float", size: 4 }) },
  { size: 8, add: (btf) => btf.add({ kind: "float", name: "double", size: 8 }) },
  { size: 16, add: (btf) => btf.add({ kind: "float", name: "long double", size: 16 }) },
);

const enums = fc
  .record({
    size: fc.constantFrom(1, 2, 4),
    signed: fc.boolean(),
    values: fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 40 }),
  })
  .map(
    ({ size, signed, values }): TypePlan => ({
      size,
      add: (btf) =>
        btf.add({
          kind: "enum",
          name: "colour",
          size,
          signed,
          values: values.map((value, index) => ({ name: `C${index}`, value })),
        }),
    }),
  );

const enums64 = fc
  .record({ signed: fc.boolean(), values: fc.array(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })) })
  .map(
    ({ signed, values }): TypePlan => ({
      size: 8,
      add: (btf) =>
        btf.add({
          kind: "enum64",
          name: "wide",
          size: 8,
          signed,
          values: values.map((value, index) => ({ name: `W${index}`, value })),
        }),
    }),
  );

/** Types of scalars, and with `unions` whether anything may share bytes. */
export function typePlans(unions: boolean): fc.Arbitrary<TypePlan> {
  const { type } = fc.letrec<{ type: TypePlan; composite: TypePlan }>((tie) => ({
    type: fc.oneof(
      { maxDepth: 3, depthIdentifier: "types" },
      { arbitrary: ints, weight: 4 },
      special,
      enums,
      enums64,
      tie("type").map(
        (inner): TypePlan => ({
          size: inner.size,
          add: (btf) => btf.add({ kind: "typedef", name: "alias_t", type: inner.add(btf) }),
        }),
      ),
      tie("type").map(
        (inner): TypePlan => ({
          size: inner.size,
          add: (btf) => btf.add({ kind: "const", type: inner.add(btf) }),
        }),
      ),
      fc.record({ element: tie("type"), length: fc.nat({ max: 3 }) }).map(
        ({ element, length }): TypePlan => ({
          size: element.size * length,
          add: (btf) => btf.add({ kind: "array", type: element.add(btf), indexType: 1, length }),
        }),
      ),
      tie("composite"),
    ),
    composite: fc
      .record({
        union: unions ? fc.boolean() : fc.constant(false),
        members: fc.array(members(tie("type"), tie("composite")), { maxLength: 4 }),
      })
      .map(({ union, members }) => composite(union, members)),
  }));
  return type;
}

function members(
  type: fc.Arbitrary<TypePlan>,
  inner: fc.Arbitrary<TypePlan>,
): fc.Arbitrary<MemberPlan> {
  const gap = fc.nat({ max: 3 });
  return fc.oneof(
    fc.record({ type, gap }),
    fc.record({ type: inner, gap, anonymous: fc.constant(true) }),
    fc.record({ type: ints, gap, bits: fc.nat(), shift: fc.nat({ max: 7 }) }),
  );
}

function composite(union: boolean, plans: readonly MemberPlan[]): TypePlan {
  let end = 0;
  const placed = plans.map((plan) => {
    const at = union ? 0 : end + plan.gap;
    end = Math.max(end, at + plan.type.size + (plan.bits === undefined ? 0 : 1));
    return { plan, at };
  });
  return {
    size: end,
    add: (btf) => {
      const added = placed.map(({ plan, at }, index): BtfMemberInit => {
        const type = plan.type.add(btf);
        if (plan.anonymous) return { name: "", type, bitOffset: at * 8 };
        // Names of anonymous members count as their parent's, so each needs its own.
        const name = `m${index}_${type}`;
        if (plan.bits === undefined) return { name, type, bitOffset: at * 8 };
        const bitfieldSize = 1 + (plan.bits % Math.min(plan.type.size * 8, 128));
        return { name, type, bitOffset: at * 8 + (plan.shift ?? 0), bitfieldSize };
      });
      const kind = union ? "union" : "struct";
      return btf.add({ kind, name: "", size: end, members: added });
    },
  };
}

/** The shape of a random type. */
export function randomShapes(unions = true): fc.Arbitrary<TypeShape> {
  return typePlans(unions).map((plan) => {
    const builder = new BtfBuilder();
    builder.add({ kind: "int", name: "index", size: 4 });
    const id = plan.add(builder);
    return shapeOfBtfType(Btf.parse(builder.build()), id);
  });
}

/** JSON values that a shape can have; without unions, so that each is told back as it is. */
export function valuesOf(shape: TypeShape): fc.Arbitrary<unknown> {
  switch (shape.kind) {
    case "int":
      return integers(shape.bits, shape.signed);
    case "bool":
      return fc.boolean();
    case "char":
      return fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
    case "enum": {
      const known = new Map<bigint, string>();
      for (const { name, value } of shape.names) {
        if (!known.has(BigInt(value))) known.set(BigInt(value), name);
      }
      const named = (value: unknown) => known.get(BigInt(value as string)) ?? value;
      return integers(shape.bits, shape.signed).map(named);
    }
    case "float":
      if (shape.bits === 64) return fc.double().map(floatJson);
      // Numbers that no shorter one stands for, so that they are told back as they are.
      return fc.oneof(
        fc.integer({ min: -200, max: 200 }).map((steps) => steps / 4),
        fc.constantFrom("NaN", "Infinity", "-Infinity"),
      );
    case "bits":
      return fc
        .bigInt({ min: 0n, max: (1n << BigInt(shape.bits)) - 1n })
        .map((value) => `0x${value.toString(16)}`);
    case "array": {
      const elements = fc.tuple(
        ...Array.from({ length: shape.length }, () => valuesOf(shape.element)),
      );
      return shape.isText ? elements.map(asText) : elements;
    }
    case "composite":
      return fc.record(
        Object.fromEntries(shape.members.map((member) => [member.name, valuesOf(member.shape)])),
      ) as fc.Arbitrary<unknown>;
  }
}

function integers(bits: number, signed: boolean): fc.Arbitrary<unknown> {
  const [min, max] = signed
    ? [-(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n]
    : [0n, (1n << BigInt(bits)) - 1n];
  return fc.bigInt({ min, max }).map((value) => (bits <= 32 ? Number(value) : String(value)));
}

function floatJson(value: number): unknown {
  if (Number.isNaN(value)) return "NaN";
  return Number.isFinite(value) ? value : String(value);
}

/** Characters as they are told back: as text where they are text that ends in zeros. */
function asText(elements: readonly unknown[]): unknown {
  const codes = elements.map((item) =>
    typeof item === "string" ? item.charCodeAt(0) : Number(item),
  );
  const end = codes.indexOf(0);
  const isText =
    end >= 0 &&
    codes.slice(0, end).every((code) => code >= 0x20 && code <= 0x7e) &&
    codes.slice(end).every((code) => code === 0);
  return isText ? String.fromCharCode(...codes.slice(0, end)) : elements;
}
