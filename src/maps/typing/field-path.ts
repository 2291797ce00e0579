import type { ArrayShape, CompositeShape, ScalarShape, TypeShape } from "./type-shape.js";

/** A field of an element: where it is within the key or the value, and what it is. */
export interface Field {
  readonly side: "key" | "value";
  /** From the start of the key, or of one CPU's value. */
  readonly bitOffset: number;
  readonly shape: ScalarShape;
}

/** The shapes of an element's two sides. */
export interface ElementShapes {
  readonly key: TypeShape;
  /** Of one CPU's value for per-CPU maps. */
  readonly value: TypeShape;
}

/** A path that leads to no field; the message says where it ends. */
export class FieldPathError extends Error {
  override readonly name = "FieldPathError";
}

/**
 * Finds the field that a path leads to: "key" or "value", then members and indices, such
 * as "value.bytes" or "key.addr[3]". Throws FieldPathError.
 */
export function findField(shapes: ElementShapes, path: string): Field {
  const [side, ...steps] = stepsOf(path);
  if (side !== "key" && side !== "value") {
    throw new FieldPathError(`${JSON.stringify(path)} does not begin with "key" or "value"`);
  }
  let at = { bitOffset: 0, shape: shapes[side] };
  let walked: string = side;
  for (const step of steps) {
    at = take(at, step, walked);
    walked += typeof step === "number" ? `[${step}]` : `.${step}`;
  }
  const { bitOffset, shape } = at;
  if (shape.kind === "array" || shape.kind === "composite") {
    throw new FieldPathError(
      `${walked} is ${described(shape)}, no number: go on to one of its parts`,
    );
  }
  if (shape.kind === "bits")
    throw new FieldPathError(`${walked} (${shape.name}) cannot be compared`);
  return { side, bitOffset, shape };
}

type Place = { readonly bitOffset: number; readonly shape: TypeShape };

function take({ bitOffset, shape }: Place, step: string | number, walked: string): Place {
  if (typeof step === "number") {
    if (shape.kind !== "array") throw new FieldPathError(`${walked} is no array`);
    if (step >= shape.length) {
      throw new FieldPathError(`${walked} has ${shape.length} elements, there is none at ${step}`);
    }
    return { bitOffset: bitOffset + step * shape.stride * 8, shape: shape.element };
  }
  if (shape.kind !== "composite") throw new FieldPathError(`${walked} has no members`);
  const member = shape.members.find(({ name }) => name === step);
  if (!member) {
    const names = shape.members.slice(0, 20).map(({ name }) => name);
    throw new FieldPathError(
      `${shape.name} (${walked}) has no member ${JSON.stringify(step)}; it has ${names.join(", ")}`,
    );
  }
  return { bitOffset: bitOffset + member.bitOffset, shape: member.shape };
}

function described(shape: ArrayShape | CompositeShape): string {
  return shape.kind === "array" ? `an array of ${shape.name}` : shape.name;
}

/** Names may have dots in them (static variables of functions), so they may be quoted. */
const STEP = /\.?(?:"([^"]+)"|([^.[\]"]+))|\[([0-9]{1,9})\]/y;

function stepsOf(path: string): (string | number)[] {
  const steps: (string | number)[] = [];
  for (let at = 0; at < path.length; at = STEP.lastIndex) {
    STEP.lastIndex = at;
    const [text, quoted, name, index] = STEP.exec(path) ?? [];
    if (text === undefined || text.startsWith(".") !== (at > 0 && index === undefined)) {
      throw new FieldPathError(
        `${JSON.stringify(path)} is no path of a field, from character ${at} on`,
      );
    }
    steps.push(index === undefined ? (quoted ?? (name as string)) : Number(index));
  }
  return steps;
}
