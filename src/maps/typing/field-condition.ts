import { fieldError, MapError } from "../map-error.js";
import type { MapLayout } from "../map-layout.js";
import { parseFloating, parseInteger } from "./encoder.js";
import { type ElementShapes, type Field, FieldPathError, findField } from "./field-path.js";
import { type FieldFold, type FieldReader, type FieldValue, fieldReader } from "./field-reader.js";
import { JsonProblem, JsonReader } from "./json-reader.js";

/** How a field and a constant compare. */
export type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=";

/** Compares a field of each element with a constant; plain data. */
export interface FieldCondition {
  /** "key" or "value", then members and indices. */
  readonly field: string;
  readonly comparison: Comparison;
  /** A number, a string with a number, an enumeration's name, true or false. */
  readonly jsonValue: string;
  readonly fold: FieldFold;
}

/** An order of elements; plain data. */
export interface ElementOrder {
  readonly field: string;
  readonly descending: boolean;
  readonly fold: FieldFold;
  /** How many elements of it to tell. */
  readonly limit: number;
}

/** Whether the element whose key and value stand at these places is as a condition says. */
export type FieldChooser = (
  keys: Buffer,
  keyAt: number,
  values: Buffer,
  valueAt: number,
) => boolean;

/** The chooser that a condition is. @param path where the condition stands in the request */
export function compileCondition(
  condition: FieldCondition,
  shapes: ElementShapes,
  layout: MapLayout,
  path: string,
): FieldChooser {
  const field = fieldAt(shapes, condition.field, `${path}.field`);
  const constant = constantOf(field, condition.jsonValue, `${path}.json_value`);
  const read = fieldReader(field, layout, condition.fold);
  const holds = HOLDS[condition.comparison];
  return (keys, keyAt, values, valueAt) => holds(read(keys, keyAt, values, valueAt), constant);
}

/** The reader of the field that an order goes by. */
export function compileOrder(
  order: ElementOrder,
  shapes: ElementShapes,
  layout: MapLayout,
  path: string,
): FieldReader {
  return fieldReader(fieldAt(shapes, order.field, `${path}.field`), layout, order.fold);
}

// Numbers and bigints compare with each other; NaN is neither less nor equal nor greater.
const HOLDS: Record<Comparison, (a: FieldValue, b: FieldValue) => boolean> = {
  "==": isEqual,
  "!=": (a, b) => !isEqual(a, b),
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

function isEqual(a: FieldValue, b: FieldValue): boolean {
  return a <= b && a >= b;
}

/**
 * The field that a path of a request leads to. Throws MapError FIELD_INVALID.
 *
 * @param path where `field` stands in the request
 */
export function fieldAt(shapes: ElementShapes, field: string, path: string): Field {
  try {
    return findField(shapes, field);
  } catch (error) {
    if (error instanceof FieldPathError) throw fieldError("FIELD_INVALID", path, error.message);
    throw error;
  }
}

function constantOf({ shape }: Field, json: string, path: string): FieldValue {
  const reader = new JsonReader(json, path);
  try {
    const value = constant(reader, shape);
    reader.end();
    if (value !== undefined) return value;
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    throw new MapError("FIELD_INVALID", error.message, {
      violations: [{ field: path, description: error.message }],
    });
  }
  throw fieldError("FIELD_INVALID", path, `${json} is no constant to compare ${shape.name} with`);
}

function constant(json: JsonReader, shape: Field["shape"]): FieldValue | undefined {
  const token = json.peek();
  if (token === "true" || token === "false") {
    json.word(token);
    return token === "true" ? 1 : 0;
  }
  const text = token === "number" ? json.number() : json.string();
  if (shape.kind === "float") return parseFloating(text);
  if (token === '"') {
    const named = shape.kind === "enum" && shape.names.find(({ name }) => name === text);
    if (named) return named.value;
    if (shape.kind === "char" && text.length === 1) return text.charCodeAt(0);
  }
  // A fraction is a fine bound for whole numbers.
  return parseInteger(text) ?? parseFloating(text);
}
