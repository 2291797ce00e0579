import type { BpfmapClient, MapRefInit } from "@bpfmapd/client";
import {
  type Map as BpfMap,
  type DumpMapRequestSchema,
  type Elements,
  Format,
  MapType,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { readBtfById, readKernelBtf } from "#dist/kernel/index.js";
import { shapeOfBtfType } from "#dist/maps/typing/shape-builder.js";
import type { TypeShape } from "#dist/maps/typing/type-shape.js";
import { bpftoolDump } from "./bpf-object.js";
import { type ExactJson, parseExact } from "./exact-json.js";
import { differences } from "./same-as-bpftool.js";

type DumpRequest = Omit<
  MessageInitShape<typeof DumpMapRequestSchema>,
  "map" | "$typeName" | "$unknown"
>;

/** The elements of a map as JSON texts. */
export async function dumpJson(
  client: BpfmapClient,
  ref: MapRefInit,
  request: DumpRequest = {},
): Promise<{ key: string; value: string }[]> {
  const elements: { key: string; value: string }[] = [];
  for await (const { jsonKeys, jsonValues, count } of dumpChunks(client, ref, request)) {
    for (let index = 0; index < count; index++) {
      elements.push({ key: jsonKeys[index] ?? "", value: jsonValues[index] ?? "" });
    }
  }
  return elements;
}

/** The chunks of a map's dump, in JSON unless the request says otherwise. */
export async function* dumpChunks(
  client: BpfmapClient,
  ref: MapRefInit,
  request: DumpRequest = {},
): AsyncGenerator<Elements> {
  const full = { format: Format.JSON, ...request, map: client.map(ref).ref };
  for await (const { kind } of client.maps.dumpMap(full)) {
    if (kind.case === "elements") yield kind.value;
  }
}

/** What the daemon's JSON of a map and bpftool's say that is not the same. */
export async function differencesFromBpftool(client: BpfmapClient, pin: string): Promise<string[]> {
  const map = await client.map({ pinPath: pin }).get();
  const shapes = shapesOf(map);
  const theirs = parseExact(bpftoolDump(pin));
  const ours = await dumpJson(client, { pinPath: pin });
  if (theirs.kind !== "array" || theirs.items.length !== ours.length) {
    return [`${ours.length} elements, ${JSON.stringify(theirs).slice(0, 200)}`];
  }
  return theirs.items.flatMap((item, index) => {
    const formatted = memberOf(item, "formatted");
    if (!formatted) return ["bpftool tells no types"];
    const own = ours[index] as { key: string; value: string };
    const key = memberOf(formatted, "key");
    return [
      ...(key && shapes.key ? differences(shapes.key, own.key, key, "key") : []),
      ...valueDifferences(map, shapes.value, own.value, formatted),
    ];
  });
}

function valueDifferences(
  map: BpfMap,
  shape: TypeShape,
  ours: string,
  formatted: ExactJson,
): string[] {
  if (map.cpus.length === 0) {
    return differences(shape, ours, memberOf(formatted, "value") as ExactJson, "value");
  }
  const [own, other] = [parseExact(ours), memberOf(formatted, "values")];
  if (own.kind !== "array" || other?.kind !== "array" || own.items.length !== other.items.length) {
    return [`values: ${ours}`];
  }
  const texts = JSON.parse(ours) as unknown[];
  if (texts.length !== own.items.length) return ["values"];
  return other.items.flatMap((item, index) =>
    differences(
      shape,
      textOf(own.items[index] as ExactJson),
      memberOf(item, "value") as ExactJson,
      `value[${index}]`,
    ),
  );
}

function textOf(json: ExactJson): string {
  switch (json.kind) {
    case "array":
      return `[${json.items.map(textOf).join(",")}]`;
    case "object":
      return `{${json.members.map(([name, value]) => `${JSON.stringify(name)}:${textOf(value)}`).join(",")}}`;
    case "string":
      return JSON.stringify(json.text);
    default:
      return json.text;
  }
}

function memberOf(json: ExactJson, name: string): ExactJson | undefined {
  return json.kind === "object" ? json.members.find(([own]) => own === name)?.[1] : undefined;
}

/** The shapes of a map's own types. */
export function shapesOf(map: BpfMap): { key: TypeShape | undefined; value: TypeShape } {
  const btf = readBtfById(map.btfId, readKernelBtf);
  return {
    key: map.btfKeyTypeId > 0 ? shapeOfBtfType(btf, map.btfKeyTypeId) : undefined,
    value: shapeOfBtfType(btf, map.btfValueTypeId),
  };
}

/** Whether elements of any bytes can be put into a map of this type. */
export function isFillable({ type }: BpfMap): boolean {
  const types: readonly MapType[] = [
    MapType.HASH,
    MapType.ARRAY,
    MapType.PERCPU_HASH,
    MapType.PERCPU_ARRAY,
    MapType.LRU_HASH,
    MapType.LRU_PERCPU_HASH,
    MapType.LPM_TRIE,
  ];
  return types.includes(type);
}

/** Fills a map with at most so many random elements. */
export async function fillRandomly(
  client: BpfmapClient,
  pin: string,
  count: number,
): Promise<void> {
  const map = await client.map({ pinPath: pin }).get();
  const isArray = map.type === MapType.ARRAY || map.type === MapType.PERCPU_ARRAY;
  const elements = Array.from({ length: Math.min(count, map.maxEntries) }, (_, index) => {
    const key = randomBytes(map.keySize);
    if (isArray) key.writeUInt32LE(index);
    if (map.type === MapType.LPM_TRIE) key.writeUInt32LE(index % ((map.keySize - 4) * 8 + 1));
    const value = randomBytes(map.valueStride);
    clearPads(value, map);
    return [key, value] as const;
  });
  await client.map({ pinPath: pin }).updateMany(elements);
}

function clearPads(value: Buffer, { cpus, valueSize, valueStride }: BpfMap): void {
  const slot = valueStride / (cpus.length || 1);
  for (let at = 0; at < valueStride; at += slot) value.fill(0, at + valueSize, at + slot);
}

/** Any bytes, with stretches of zeros and of letters among them. */
function randomBytes(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const end = at + 1 + Math.floor(Math.random() * 16);
    const kind = Math.random();
    for (; at < Math.min(end, length); at++) {
      if (kind < 0.4) bytes[at] = Math.floor(Math.random() * 256);
      else if (kind < 0.7) bytes[at] = 0x61 + Math.floor(Math.random() * 26);
    }
  }
  return bytes;
}
