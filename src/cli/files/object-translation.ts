import {
  type Map as BpfMap,
  type Elements,
  MapType,
  type ObjectValue,
  ObjectValueSchema,
} from "@bpfmapd/client/proto";
import { create } from "@bufbuild/protobuf";
import { CliError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import type { MapArg } from "../grammar/map-arg.js";
import { getMap, listMaps, nameOf } from "../maps.js";
import type { Chunk } from "./chunk-builder.js";

/** How the objects of an exported map are named in the file. */
export interface ObjectTranslation {
  /** What the header tells of the map beyond what a dump does. */
  readonly more: Pick<BpfMap, "innerMapSpec"> | undefined;
  /** Names an object so that it can be found again: inner maps by pin where they have one. */
  readonly translate: (value: ObjectValue) => ObjectValue;
}

/** Leaves objects named as the dump named them. */
export const AS_IT_IS: ObjectTranslation = { more: undefined, translate: (value) => value };

/** Looks up what an export of the map needs; refuses maps whose values nobody can read. */
export async function objectTranslation(
  context: CliContext,
  arg: MapArg,
): Promise<ObjectTranslation> {
  const map = await getMap(context, arg, { innerMap: true });
  if (isUnreadable(map)) {
    throw new CliError(`the kernel lets nobody read the values of ${nameOf(map)}`);
  }
  if (!hasInnerMaps(map)) return AS_IT_IS;
  const pins = new Map<number, string>();
  const pinned = { detail: { pins: true }, filter: { pinned: true } };
  for await (const { id, pinPaths } of listMaps(context, pinned)) {
    if (pinPaths[0] !== undefined) pins.set(id, pinPaths[0]);
  }
  const { innerMapSpec } = map;
  return {
    more: innerMapSpec && { innerMapSpec },
    translate: (value) => byPin(value, pins),
  };
}

function byPin(value: ObjectValue, pins: ReadonlyMap<number, string>): ObjectValue {
  if (value.object.case !== "map" || value.object.value.ref.case !== "id") return value;
  const path = pins.get(value.object.value.ref.value);
  if (path === undefined) return value;
  const ref = { ref: { case: "pinPath" as const, value: path } };
  return create(ObjectValueSchema, { object: { case: "map", value: ref } });
}

/** Whether a map's values are maps. */
export function hasInnerMaps({ type }: BpfMap): boolean {
  return type === MapType.ARRAY_OF_MAPS || type === MapType.HASH_OF_MAPS;
}

function isUnreadable({ type, valueSize }: BpfMap): boolean {
  const isSockets =
    type === MapType.SOCKMAP || type === MapType.SOCKHASH || type === MapType.REUSEPORT_SOCKARRAY;
  return (
    type === MapType.PERF_EVENT_ARRAY ||
    type === MapType.CGROUP_ARRAY ||
    type === MapType.XSKMAP ||
    (isSockets && valueSize < 8)
  );
}

/** Objects of one message: the daemon has them all open while it writes them. */
const OBJECTS_A_CHUNK = 1000;

/**
 * Exported elements as they are written: objects instead of the ids that the kernel
 * answered for them. Ids mean something in the boot that they were read in alone.
 */
export function* importedChunks(elements: Elements, sameBoot: boolean): Generator<Chunk, void> {
  const { count, keys, values, objectValues } = elements;
  if (objectValues.length === 0) {
    yield { count, keys, values };
    return;
  }
  for (const value of objectValues) refuseLost(value, sameBoot);
  const keySize = keys.length / count;
  for (let from = 0; from < count; from += OBJECTS_A_CHUNK) {
    const some = objectValues.slice(from, from + OBJECTS_A_CHUNK);
    yield {
      count: some.length,
      keys: keys.subarray(from * keySize, (from + some.length) * keySize),
      values: new Uint8Array(0),
      objectValues: some,
    };
  }
}

function refuseLost({ object }: ObjectValue, sameBoot: boolean): void {
  if (object.case === undefined || object.case === "stackTrace") {
    throw new CliError("its values cannot be written: the kernel alone makes them");
  }
  if (object.case === "socket") {
    throw new CliError(
      "its values are sockets, which live in their process: they cannot come back",
    );
  }
  if (sameBoot || !namesById(object)) return;
  throw new CliError(
    "it names programs or maps by id, and the host has booted since (or is another): pin them before the export",
  );
}

function namesById(object: ObjectValue["object"]): boolean {
  switch (object.case) {
    case "program":
    case "map":
      return object.value.ref.case === "id";
    case "device":
    case "cpu":
      return object.value.program?.ref.case === "id";
    default:
      return false;
  }
}
