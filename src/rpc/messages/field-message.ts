import {
  Comparison as ComparisonEnum,
  type ElementOrder as ElementOrderMessage,
  type FieldCondition as FieldConditionMessage,
  FieldFold as FieldFoldEnum,
} from "@bpfmapd/client/proto";
import {
  type Comparison,
  type ElementOrder,
  type FieldCondition,
  type FieldFold,
  fieldError,
} from "../../maps/index.js";

/** A condition of a request; `index` is its place in filter.fields. */
export function toFieldCondition(message: FieldConditionMessage, index: number): FieldCondition {
  const { field, comparison, jsonValue, fold } = message;
  return {
    field,
    comparison: toComparison(comparison, `filter.fields[${index}].comparison`),
    jsonValue,
    fold: toFieldFold(fold),
  };
}

/** The order that a request wants; undefined for none. */
export function toElementOrder(message: ElementOrderMessage | undefined): ElementOrder | undefined {
  if (message === undefined) return undefined;
  const { field, descending, fold, limit } = message;
  return { field, descending, fold: toFieldFold(fold), limit };
}

function toComparison(value: ComparisonEnum, field: string): Comparison {
  switch (value) {
    case ComparisonEnum.EQUAL:
      return "==";
    case ComparisonEnum.NOT_EQUAL:
      return "!=";
    case ComparisonEnum.LESS:
      return "<";
    case ComparisonEnum.LESS_OR_EQUAL:
      return "<=";
    case ComparisonEnum.GREATER:
      return ">";
    case ComparisonEnum.GREATER_OR_EQUAL:
      return ">=";
    case ComparisonEnum.UNSPECIFIED:
      throw fieldError("FIELD_INVALID", field, "is not one of Comparison");
  }
}

/** How the slots of a per-CPU value are folded. */
export function toFieldFold(value: FieldFoldEnum): FieldFold {
  switch (value) {
    case FieldFoldEnum.UNSPECIFIED:
    case FieldFoldEnum.SUM:
      return "sum";
    case FieldFoldEnum.MIN:
      return "min";
    case FieldFoldEnum.MAX:
      return "max";
  }
}
