import {
  CpuFold as CpuFoldEnum,
  type CpuTarget as CpuTargetMessage,
  type CpuView as CpuViewMessage,
  type ElementFailureSchema,
  type ElementFilter as ElementFilterMessage,
  type Elements,
  type ElementsSchema,
  ErrorReason,
  Format,
  type ObjectKey as ObjectKeyMessage,
  OnError as OnErrorEnum,
  type Typing as TypingMessage,
  UpdateMode as UpdateModeEnum,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type CpuFold,
  type CpuTarget,
  type CpuView,
  type ElementFailure,
  type ElementFilter,
  type ElementsAnswer,
  type ElementsInput,
  fieldError,
  type InputColumn,
  type KeysInput,
  type MapAccess,
  type ObjectKey,
  type ObjectValue,
  type OnError,
  type Reading,
  type Typing,
  type UpdateMode,
} from "../../maps/index.js";
import { toFieldCondition } from "./field-message.js";
import { objectValueMessage, toObjectKey, toObjectValue, toProgramRef } from "./object-message.js";

/**
 * The elements that a request carries.
 *
 * @param access what the caller may do with maps that are values
 * @param field their path in the request
 */
export function toElementsInput(
  message: Elements | undefined,
  access: MapAccess | undefined,
  field = "elements",
): ElementsInput {
  if (message === undefined) throw fieldError("FIELD_INVALID", field, "is missing");
  const { count, keys, objectKeys, jsonKeys } = message;
  return {
    count,
    keys: toKeyColumn({ keys, objectKeys, jsonKeys }, `${field}.`),
    values: toValueColumn(message, access, `${field}.`),
  };
}

/** The keys that a request carries. */
export function toKeysInput(
  request: { readonly count: number } & Parameters<typeof toKeyColumn>[0],
): KeysInput {
  return { count: request.count, keys: toKeyColumn(request, "") };
}

function toKeyColumn(
  columns: {
    readonly keys: Uint8Array;
    readonly objectKeys: readonly ObjectKeyMessage[];
    readonly jsonKeys: readonly string[];
  },
  at: string,
): InputColumn<ObjectKey> {
  const { keys, objectKeys, jsonKeys } = columns;
  requireOneForm("keys", [keys, objectKeys, jsonKeys], at);
  if (jsonKeys.length > 0) return { form: "json", items: jsonKeys };
  if (objectKeys.length === 0) return keys;
  const items = objectKeys.map((key, index) => toObjectKey(key, `${at}object_keys[${index}]`));
  return { form: "objects", items };
}

function toValueColumn(
  columns: Elements,
  access: MapAccess | undefined,
  at: string,
): InputColumn<ObjectValue> {
  const { values, objectValues, jsonValues } = columns;
  requireOneForm("values", [values, objectValues, jsonValues], at);
  if (jsonValues.length > 0) return { form: "json", items: jsonValues };
  if (objectValues.length === 0) return values;
  const items = objectValues.map((value, index) =>
    toObjectValue(value, access, `${at}object_values[${index}]`),
  );
  return { form: "objects", items };
}

function requireOneForm(
  what: "keys" | "values",
  forms: readonly { readonly length: number }[],
  at: string,
): void {
  if (forms.filter(({ length }) => length > 0).length <= 1) return;
  throw fieldError(
    "FIELD_INVALID",
    `${at}${what}`,
    `given in several forms: only one of ${what}, object_${what} and json_${what}`,
  );
}

/** The values of a request that has values alone. */
export function toPushedValues(request: {
  readonly values: Uint8Array;
  readonly jsonValues: readonly string[];
}): InputColumn<ObjectValue> {
  const { values, jsonValues } = request;
  return jsonValues.length > 0 ? { form: "json", items: jsonValues } : values;
}

/** One key or value of a request; undefined where it has none. */
export function toOne(
  bytes: Uint8Array | undefined,
  json: string | undefined,
  field: string,
): InputColumn<never> | undefined {
  if (bytes !== undefined && json !== undefined) {
    throw fieldError(
      "FIELD_INVALID",
      field,
      `given in two forms: only one of ${field} and json_${field}`,
    );
  }
  return json === undefined ? bytes : { form: "json", items: [json] };
}

/** How a request wants elements to stand in the answer. */
export function toReading(request: {
  readonly format: Format;
  readonly typing?: TypingMessage | undefined;
}): Reading {
  return { format: toFormat(request.format), typing: toTyping(request.typing) };
}

function toFormat(format: Format): Reading["format"] {
  switch (format) {
    case Format.UNSPECIFIED:
    case Format.BYTES:
      return "bytes";
    case Format.JSON:
      return "json";
    case Format.BYTES_AND_JSON:
      return "both";
  }
}

/** The types that a request names; undefined for the map's own. */
export function toTyping(message: TypingMessage | undefined): Typing | undefined {
  if (message === undefined) return undefined;
  const { keyType, valueType } = message;
  const source = toTypingSource(message);
  return { keyType, valueType, ...(source && { source }) };
}

function toTypingSource({ source }: TypingMessage): Typing["source"] {
  switch (source.case) {
    case "program":
      return { by: "program", program: toProgramRef(source.value, "typing.program") };
    case "kernel":
      return { by: "kernel", name: source.value };
    case "btfId":
      return { by: "btfId", id: source.value };
    case undefined:
      return undefined;
  }
}

/** Elements as the contract tells them. */
export function elementsMessage({
  count,
  keys,
  values,
  objectValues,
  jsonKeys,
  jsonValues,
}: ElementsAnswer): MessageInitShape<typeof ElementsSchema> {
  return {
    count,
    keys,
    values,
    ...(objectValues && { objectValues: objectValues.map(objectValueMessage) }),
    ...(jsonKeys && { jsonKeys: [...jsonKeys] }),
    ...(jsonValues && { jsonValues: [...jsonValues] }),
  };
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
  const { keyPrefix, keyRange, valueMatch, fields } = message;
  return {
    ...(fields.length > 0 && { fields: fields.map(toFieldCondition) }),
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
