import { type Map as BpfMap, MapSchema, type MapSet, MapType } from "@bpfmapd/client/proto";
import { create } from "@bufbuild/protobuf";
import { CliError, messageOf } from "./cli-error.js";
import type { CliContext } from "./context.js";
import type { Chunk } from "./files/chunk-builder.js";
import { parseElements, readBlocks } from "./files/element-file.js";
import { writeJson } from "./format/json-writer.js";
import { mapSetJson, mapSetText } from "./format/map-set.js";

/** Sizes of a set's elements. */
export interface SetSizes {
  readonly keySize: number;
  readonly valueSize: number;
}

/** A set as it is, without its elements. */
export async function getMapSet(context: CliContext, name: string): Promise<MapSet> {
  const request = { name, withoutElements: true };
  for await (const { kind } of context.client.fleet.getMapSet(request, context.call)) {
    if (kind.case === "mapSet") return kind.value;
  }
  throw new CliError("the relay has told no set");
}

/** The sizes of a set. */
export function sizesOf({ spec }: MapSet): SetSizes {
  return { keySize: spec?.keySize ?? 0, valueSize: spec?.valueSize ?? 0 };
}

/** A set's elements as those of a map, for what prints and parses such. */
export function asMap(name: string, { keySize, valueSize }: SetSizes): BpfMap {
  const type = MapType.HASH;
  return create(MapSchema, { name, type, keySize, valueSize, valueStride: valueSize });
}

/** The elements of a file, or of standard input, in chunks. */
export async function* elementsOf(
  context: CliContext,
  path: string,
  { keySize, valueSize }: SetSizes,
): AsyncGenerator<Chunk, void> {
  if (path === "-" && context.stdin.isTTY) {
    throw new CliError("give a FILE, or elements on standard input");
  }
  const target = { keySize, valueSize, valueStride: valueSize, cpus: undefined };
  try {
    yield* parseElements(
      readBlocks(path, context.stdin, () => {}),
      target,
    );
  } catch (error) {
    const name = path === "-" ? "standard input" : path;
    throw error instanceof CliError ? new CliError(`${name}: ${messageOf(error)}`) : error;
  }
}

/** Prints a set after a change of it. */
export async function printMapSet(
  context: CliContext,
  set: MapSet | undefined,
  more: { readonly text?: string; readonly json?: Record<string, bigint | boolean> } = {},
): Promise<void> {
  if (set === undefined) throw new CliError("the relay has told no set");
  if (!context.json) {
    await context.out.write(`${mapSetText(set)}${more.text ? `; ${more.text}` : ""}\n`);
    return;
  }
  const json = { ...(mapSetJson(set) as object), ...more.json };
  await context.printJson((writer) => writeJson(writer, json as never));
}
