import type { Map as BpfMap, Hold } from "@bpfmapd/client/proto";
import { mapTypeName } from "../grammar/map-type.js";
import { holdJson } from "./hold.js";
import type { JsonWriter } from "./json-writer.js";
import { progTypeName } from "./prog-type.js";

/** The members that bpftool begins every map's object with. */
export function writeMapHeader(json: JsonWriter, map: BpfMap): void {
  json.member("id", map.id);
  json.member("type", mapTypeName(map.type) ?? map.type);
  if (map.name !== "") json.member("name", map.name);
  json.member("flags", map.flags);
  if (map.ifindex !== 0) {
    json.name("dev");
    json.startObject();
    json.member("ifindex", map.ifindex);
    json.endObject();
  }
}

/**
 * A map as bpftool's `-j map show` writes it. Its optional members come where there is
 * something to tell: "pinned" with `pins` (-f), "pids" and "programs" where they were
 * asked for, and our own "kept_objects" and "holds".
 */
export function writeMap(json: JsonWriter, map: BpfMap, pins: boolean): void {
  json.startObject();
  writeMapHeader(json, map);
  json.member("bytes_key", map.keySize);
  json.member("bytes_value", map.valueSize);
  json.member("max_entries", map.maxEntries);
  if (map.memlockBytes !== undefined) json.member("bytes_memlock", map.memlockBytes);
  if (map.ownerProgType !== undefined) {
    json.member("owner_prog_type", progTypeName(map.ownerProgType) ?? map.ownerProgType);
  }
  if (map.ownerJited !== undefined) json.member("owner_jited", map.ownerJited);
  if (map.frozen !== undefined) json.member("frozen", map.frozen ? 1 : 0);
  if (map.btfId !== 0) json.member("btf_id", map.btfId);
  if (pins) writeStrings(json, "pinned", map.pinPaths);
  writeHolders(json, map);
  writePrograms(json, map);
  if (map.keptObjects > 0) json.member("kept_objects", map.keptObjects);
  writeHolds(json, map.holds);
  json.endObject();
}

function writeStrings(json: JsonWriter, name: string, values: readonly string[]): void {
  json.name(name);
  json.startArray();
  for (const value of values) json.value(value);
  json.endArray();
}

function writeHolders(json: JsonWriter, map: BpfMap): void {
  if (map.holders.length === 0) return;
  json.name("pids");
  json.startArray();
  for (const holder of map.holders) {
    json.startObject();
    json.member("pid", holder.pid);
    json.member("comm", holder.comm);
    json.endObject();
  }
  json.endArray();
}

function writePrograms(json: JsonWriter, map: BpfMap): void {
  if (map.programs.length === 0) return;
  json.name("programs");
  json.startArray();
  for (const program of map.programs) {
    json.startObject();
    json.member("id", program.id);
    json.member("type", progTypeName(program.type) ?? program.type);
    if (program.name !== "") json.member("name", program.name);
    json.endObject();
  }
  json.endArray();
}

function writeHolds(json: JsonWriter, holds: readonly Hold[]): void {
  if (holds.length === 0) return;
  json.name("holds");
  json.startArray();
  for (const hold of holds) holdJson(json, hold);
  json.endArray();
}
