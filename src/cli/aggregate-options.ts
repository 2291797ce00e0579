import type { AggregateOptions as Asked, NumberFieldInit } from "@bpfmapd/client";
import type { FieldFold } from "@bpfmapd/client/proto";
import type { Command } from "commander";
import { parseU32 } from "./grammar/number.js";
import { type NumberFieldArg, parseNumberField } from "./grammar/number-field.js";
import {
  addConditionOptions,
  type ConditionOptions,
  conditionsOf,
  foldOf,
} from "./query-options.js";
import { addTypingOptions, type TypingOptions, typingOf } from "./typing-options.js";

/** Options of verbs that fold numbers. */
export interface FoldingOptions extends TypingOptions, ConditionOptions {
  readonly field?: readonly NumberFieldArg[];
  readonly top?: number;
  readonly histogram?: boolean;
}

/** Adds the options of {@link FoldingOptions}. */
export function addFoldingOptions(command: Command): Command {
  command
    .option(
      "--field <field>",
      "a number to fold: a path (value.bytes) or OFFSET/TYPE (8/u64); may be repeated; the first of the value where absent",
      (text: string, before: readonly NumberFieldArg[] = []) => [...before, parseNumberField(text)],
    )
    .option("--top <number>", "the keys with the greatest numbers of the first field", (text) =>
      parseU32(text, "--top"),
    )
    .option("--histogram", "how the numbers are spread, by powers of two");
  return addTypingOptions(addConditionOptions(command));
}

/** What to ask for each number. */
export function fieldsOf(
  fields: readonly NumberFieldArg[],
  { fold, histogram }: FoldingOptions,
): NumberFieldInit[] {
  const options: { fold?: FieldFold; histogram?: boolean } = {
    ...(fold !== undefined && { fold: foldOf(fold) }),
    ...(histogram && { histogram }),
  };
  return fields.map((field) =>
    "path" in field
      ? { path: field.path, ...options }
      : { offset: field.offset, type: field.type, ...options },
  );
}

/** What to ask beside the numbers. @param jsonKeys whether keys are printed by type */
export function askedOf(
  options: FoldingOptions,
  jsonKeys: boolean,
): Pick<Asked, "filter" | "top" | "typing"> {
  const filter = conditionsOf(options);
  const typing = typingOf(options);
  return {
    ...(filter.fields && { filter }),
    ...(options.top !== undefined && { top: { limit: options.top, jsonKeys } }),
    ...(typing && { typing }),
  };
}
