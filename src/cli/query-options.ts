import {
  type ElementFilterSchema,
  type ElementOrderSchema,
  type FieldConditionSchema,
  FieldFold,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Command, Option } from "commander";
import { CliError } from "./cli-error.js";
import { parseCondition } from "./grammar/condition.js";
import { parseU32 } from "./grammar/number.js";

type Condition = MessageInitShape<typeof FieldConditionSchema>;

const FOLDS = { sum: FieldFold.SUM, min: FieldFold.MIN, max: FieldFold.MAX };

/** Options that choose elements by their fields. */
export interface ConditionOptions {
  readonly where?: readonly Condition[];
  readonly fold?: keyof typeof FOLDS;
}

/** Options that put elements in an order. */
export interface OrderOptions extends ConditionOptions {
  readonly by?: string;
  readonly top?: number;
  readonly bottom?: number;
}

/** How many elements an order sends where it is not said. */
const DEFAULT_LIMIT = 10;

/** Adds the options of {@link ConditionOptions}. */
export function addConditionOptions(command: Command): Command {
  return command
    .option(
      "--where <condition>",
      "only elements of which this holds, such as 'value.bytes > 1000'; may be repeated",
      (text: string, before: readonly Condition[] = []) => [...before, parseCondition(text)],
    )
    .addOption(
      new Option("--fold <how>", "of a per-CPU map, how fields are folded over the CPUs")
        .choices(Object.keys(FOLDS))
        .default(undefined, "sum"),
    );
}

/** Adds the options of {@link OrderOptions}. */
export function addOrderOptions(command: Command): Command {
  return addConditionOptions(command)
    .option("--by <field>", "in the order of this field, greatest first, such as value.bytes")
    .option("--top <number>", "the first elements of the order (default: 10)", (text) =>
      parseU32(text, "--top"),
    )
    .option("--bottom <number>", "the last elements of the order, least first", (text) =>
      parseU32(text, "--bottom"),
    );
}

/** The part of a filter that the options are; nothing where there are none. */
export function conditionsOf({
  where = [],
  fold,
}: ConditionOptions): Pick<MessageInitShape<typeof ElementFilterSchema>, "fields"> {
  if (where.length === 0) return {};
  return { fields: where.map((condition) => ({ ...condition, ...foldField(fold) })) };
}

/** The order that the options are; undefined for none. */
export function orderOf(
  options: OrderOptions,
): MessageInitShape<typeof ElementOrderSchema> | undefined {
  const { by, top, bottom, fold } = options;
  if (by === undefined) {
    if (top === undefined && bottom === undefined) return undefined;
    throw new CliError("--top and --bottom need --by, the field to order by");
  }
  if (top !== undefined && bottom !== undefined) {
    throw new CliError("--top and --bottom exclude each other");
  }
  return {
    field: by,
    descending: bottom === undefined,
    limit: top ?? bottom ?? DEFAULT_LIMIT,
    ...foldField(fold),
  };
}

function foldField(fold: ConditionOptions["fold"]) {
  return fold === undefined ? {} : { fold: foldOf(fold) };
}

/** The fold that the user named. */
export function foldOf(fold: keyof typeof FOLDS): FieldFold {
  return FOLDS[fold];
}
