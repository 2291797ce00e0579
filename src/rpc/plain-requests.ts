import {
  DeleteElementsRequestSchema,
  type Elements,
  Format,
  LoadMapRequestSchema,
  LookupElementsRequestSchema,
  type MapRef,
  OnError,
  PipelineRequestSchema,
  UpdateElementsRequestSchema,
  UpdateMode,
} from "@bpfmapd/client/proto";
import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";

/*
 * Most requests of a busy client are plain: bytes for a map, and no more. That such a
 * message keeps the contract's rules is told here in about a microsecond; protovalidate
 * takes as long for it as all the rest of the daemon's own work.
 */

type Check<S extends DescMessage> = (message: MessageShape<S>) => boolean;

const checks = new Map<DescMessage, Check<DescMessage>>();

function plain<S extends DescMessage>(schema: S, check: Check<S>): void {
  checks.set(schema, check as Check<DescMessage>);
}

plain(
  LookupElementsRequestSchema,
  (request) =>
    hasPlainKeys(request) && request.cpuView === undefined && isOneOf(request.format, Format),
);
plain(DeleteElementsRequestSchema, hasPlainKeys);
plain(
  UpdateElementsRequestSchema,
  ({ map, elements, mode, cpuTarget, onError, typing }) =>
    isPlainRef(map) &&
    hasPlainElements(elements) &&
    cpuTarget === undefined &&
    typing === undefined &&
    isOneOf(mode, UpdateMode) &&
    isOneOf(onError, OnError),
);
// Each call keeps to the rules of its own.
plain(PipelineRequestSchema, () => true);
plain(LoadMapRequestSchema, ({ kind }) => kind.case === "elements" && hasPlainElements(kind.value));

/**
 * Whether the message is sure to keep its rules. Where it is not, it may do so or not:
 * protovalidate knows.
 */
export function isPlain(schema: DescMessage, message: Message): boolean {
  return checks.get(schema)?.(message) ?? false;
}

function hasPlainKeys(
  request:
    | MessageShape<typeof LookupElementsRequestSchema>
    | MessageShape<typeof DeleteElementsRequestSchema>,
): boolean {
  return (
    isPlainRef(request.map) &&
    request.keys.length > 0 &&
    request.count > 0 &&
    request.objectKeys.length === 0 &&
    request.jsonKeys.length === 0 &&
    request.typing === undefined &&
    isOneOf(request.onError, OnError)
  );
}

function hasPlainElements(elements: Elements | undefined): boolean {
  return (
    elements !== undefined &&
    elements.objectKeys.length === 0 &&
    elements.objectValues.length === 0 &&
    elements.jsonKeys.length === 0 &&
    elements.jsonValues.length === 0
  );
}

function isPlainRef(map: MapRef | undefined): boolean {
  if (map === undefined || map.bootId !== undefined) return false;
  switch (map.ref.case) {
    case "id":
      return map.ref.value > 0;
    case "pinPath":
      return hasBytes(map.ref.value, 4095);
    case "held":
      return hasBytes(map.ref.value, 63);
    default:
      return false;
  }
}

function hasBytes(text: string, most: number): boolean {
  return text.length > 0 && Buffer.byteLength(text) <= most;
}

function isOneOf(value: number, values: Record<number, unknown>): boolean {
  return value in values;
}
