import {
  CpuFold as CpuFoldEnum,
  type CpuTarget as CpuTargetMessage,
  type CpuView as CpuViewMessage,
  type ElementFailureSchema,
  type ElementFilter as ElementFilterMessage,
  type Elements,
  type ElementsSchema,
  ErrorReason,
  OnError as OnErrorEnum,
  UpdateMode as UpdateModeEnum,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type Columns,
  type CpuFold,
  type CpuTarget,
  type CpuView,
  type ElementFailure,
  type ElementFilter,
  fieldError,
  type OnError,
  type UpdateMode,
} from "../../maps/index.js";

/** The elements that a request carries; `field` is their path in the request. */
export function toColumns(message: Elements | undefined, field = "elements"): Columns {
  if (message === undefined) throw fieldError("FIELD_INVALID", field, "is missing");
  const { count, keys, values } = message;
  return { count, keys, values };
}

/** Elements as the contract tells them. */
export function elementsMessage({
  count,
  keys,
  values,
}: Columns): MessageInitShape<typeof ElementsSchema> {
  return { count, keys, values };
}

/** Elements that the kernel refused, as the contract tells them. */
export function failureMessages(
  failures: readonly ElementFailure[],
): MessageInitShape<typeof ElementFailureSchema>[] {
  return failures.map(({ index, reason }) => ({ index, reason: ErrorReason[reason] }));
}

/** What a request wants done where an element is refused. */
export function toOnError(value: OnErrorEnum): OnError {
  return value === OnErrorEnum.CONTINUE ? "continue" : "stop";
}

/** Whether a request may add or change elements. */
export function toUpdateMode(value: UpdateModeEnum): UpdateMode {
  switch (value) {
    case UpdateModeEnum.UNSPECIFIED:
    case UpdateModeEnum.ANY:
      return "any";
    case UpdateModeEnum.NOEXIST:
      return "noexist";
    case UpdateModeEnum.EXIST:
      return "exist";
  }
}

/** Which slots of per-CPU values a request reads; undefined for all. */
export function toCpuView(message: CpuViewMessage | undefined): CpuView | undefined {
  const view = message?.view;
  switch (view?.case) {
    case "cpu":
      return { cpu: view.value };
    case "fold":
      return { fold: toCpuFold(view.value) };
    default:
      return undefined;
  }
}

/** Which slots of per-CPU values a request writes; undefined for whole values. */
export function toCpuTarget(message: CpuTargetMessage | undefined): CpuTarget | undefined {
  const target = message?.target;
  switch (target?.case) {
    case "cpu":
      return { cpu: target.value };
    case "allCpus":
      return { allCpus: true };
    default:
      return undefined;
  }
}

/** Which elements a request is about; undefined for all. */
export function toElementFilter(
  message: ElementFilterMessage | undefined,
): ElementFilter | undefined {
  if (message === undefined) return undefined;
  const { keyPrefix, keyRange, valueMatch } = message;
  return {
    ...(keyPrefix !== undefined && { keyPrefix }),
    ...(keyRange !== undefined && { keyRange: toKeyRange(keyRange) }),
    ...(valueMatch !== undefined && {
      valueMatch: { mask: valueMatch.mask, match: valueMatch.match },
    }),
  };
}

/** Which keys a request is about. */
export function toKeyRange({
  start,
  end,
}: NonNullable<ElementFilterMessage["keyRange"]>): NonNullable<ElementFilter["keyRange"]> {
  return { ...(start !== undefined && { start }), ...(end !== undefined && { end }) };
}

function toCpuFold(value: CpuFoldEnum): CpuFold {
  switch (value) {
    case CpuFoldEnum.SUM_U32:
      return "sum_u32";
    case CpuFoldEnum.SUM_U64:
      return "sum_u64";
    case CpuFoldEnum.MAX_U32:
      return "max_u32";
    case CpuFoldEnum.MAX_U64:
      return "max_u64";
    case CpuFoldEnum.UNSPECIFIED:
      throw fieldError("FIELD_INVALID", "cpu_view.fold", "is not one of CpuFold");
  }
}
