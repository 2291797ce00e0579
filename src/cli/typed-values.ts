import { type Map as BpfMap, Format } from "@bpfmapd/client/proto";
import type { CliContext } from "./context.js";
import { TypedValues } from "./format/typed-value.js";
import { isTyped, type TypingOptions, typingOf } from "./typing-options.js";

/** What of a request says that elements are wanted by type. */
export function typedFormat(map: BpfMap, options: TypingOptions) {
  if (!isTyped(map, options)) return {};
  const typing = typingOf(options);
  return { format: Format.BYTES_AND_JSON, ...(typing && { typing }) };
}

/** What writes a map's elements by type; undefined where they are printed in bytes. */
export async function typedValues(
  context: CliContext,
  map: BpfMap,
  options: TypingOptions,
): Promise<TypedValues | undefined> {
  if (!isTyped(map, options)) return undefined;
  const typing = typingOf(options);
  const { schema } = await context.client.maps.getMapSchema(
    { map: context.mapRef({ by: "id", id: map.id }), ...(typing && { typing }) },
    context.call,
  );
  return schema && new TypedValues(schema);
}
