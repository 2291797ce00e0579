import type { Map as BpfMap } from "@bpfmapd/client/proto";
import { mapTypeName } from "../grammar/map-type.js";
import { holdText } from "./hold.js";
import { progTypeName } from "./prog-type.js";

/** The line that bpftool begins every map with, such as "7: hash  name m  flags 0x0". */
export function mapHeaderText(map: BpfMap): string {
  const type = mapTypeName(map.type) ?? `type ${map.type}`;
  const name = map.name === "" ? "" : `name ${map.name}  `;
  const device = map.ifindex === 0 ? "" : `  offloaded_to ifindex ${map.ifindex}`;
  return `${map.id}: ${type}  ${name}flags 0x${map.flags.toString(16)}${device}`;
}

/** A map as bpftool's plain `map show` prints it, and after it what only we know. */
export function mapText(map: BpfMap): string {
  const lines = [mapHeaderText(map), sizes(map)];
  const owner = ownerText(map);
  if (owner !== undefined) lines.push(owner);
  for (const path of map.pinPaths) lines.push(`pinned ${path}`);
  const state = [...(map.btfId === 0 ? [] : [`btf_id ${map.btfId}`])];
  if (map.frozen) state.push("frozen");
  if (state.length > 0) lines.push(state.join("  "));
  if (map.holders.length > 0) {
    lines.push(`pids ${map.holders.map(({ comm, pid }) => `${comm}(${pid})`).join(", ")}`);
  }
  if (map.programs.length > 0) {
    const programs = map.programs.map(({ id, name }) => (name === "" ? `${id}` : `${name}(${id})`));
    lines.push(`programs ${programs.join(", ")}`);
  }
  if (map.keptObjects > 0) lines.push(`kept_objects ${map.keptObjects}`);
  for (const hold of map.holds) lines.push(`held ${holdText(hold)}`);
  return `${lines.join("\n\t")}\n`;
}

function sizes(map: BpfMap): string {
  const memlock = map.memlockBytes === undefined ? "" : `  memlock ${map.memlockBytes}B`;
  return `key ${map.keySize}B  value ${map.valueSize}B  max_entries ${map.maxEntries}${memlock}`;
}

function ownerText(map: BpfMap): string | undefined {
  const parts: string[] = [];
  if (map.ownerProgType !== undefined) {
    parts.push(`owner_prog_type ${progTypeName(map.ownerProgType) ?? map.ownerProgType}`);
  }
  if (map.ownerJited !== undefined) parts.push(`owner${map.ownerJited ? "" : " not"} jited`);
  return parts.length === 0 ? undefined : parts.join("  ");
}
