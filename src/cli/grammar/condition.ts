import { Comparison, type FieldConditionSchema } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { CliError } from "../cli-error.js";

const COMPARISONS: readonly (readonly [string, Comparison])[] = [
  ["==", Comparison.EQUAL],
  ["!=", Comparison.NOT_EQUAL],
  ["<=", Comparison.LESS_OR_EQUAL],
  [">=", Comparison.GREATER_OR_EQUAL],
  ["=", Comparison.EQUAL],
  ["<", Comparison.LESS],
  [">", Comparison.GREATER],
];

/**
 * Parses `FIELD COMPARISON CONSTANT`, such as `value.bytes > 1000`. A constant that is a
 * bare word is an enumeration's name.
 */
export function parseCondition(text: string): MessageInitShape<typeof FieldConditionSchema> {
  const [, field, sign, constant] = /^\s*([^<>=!]+?)\s*([<>=!]=?)\s*(.+?)\s*$/.exec(text) ?? [];
  const comparison = COMPARISONS.find(([candidate]) => candidate === sign)?.[1];
  if (!field || !constant || comparison === undefined) {
    throw new CliError(`--where: "${text}" is not FIELD <|<=|>|>=|==|!= CONSTANT`);
  }
  return { field, comparison, jsonValue: isJson(constant) ? constant : JSON.stringify(constant) };
}

/** Whether it is a number, a quoted string, true or false. Hexadecimal numbers are quoted. */
function isJson(constant: string): boolean {
  try {
    JSON.parse(constant);
    return true;
  } catch {
    return false;
  }
}
