import { MapType } from "@bpfmapd/client/proto";
import { CliError } from "../cli-error.js";

/** The map types by bpftool's and libbpf's names, such as "percpu_hash", in the kernel's order. */
export const MAP_TYPE_NAMES: readonly string[] = Object.keys(MapType)
  .filter((key) => Number.isNaN(Number(key)) && key !== "UNSPECIFIED")
  .map((key) => key.toLowerCase());

/** The name of a type; undefined for one that this version does not know. */
export function mapTypeName(type: MapType): string | undefined {
  return type === MapType.UNSPECIFIED ? undefined : MapType[type]?.toLowerCase();
}

/** The type of a name. As in bpftool, names are not shortened: new types may share a prefix. */
export function parseMapType(name: string): MapType {
  if (!MAP_TYPE_NAMES.includes(name)) {
    throw new CliError(
      `unrecognized map type: ${name}; "bpfmapctl feature probe" lists those of the host`,
    );
  }
  return MapType[name.toUpperCase() as keyof typeof MapType];
}

/** Whether values have one slot per possible CPU. */
export function isPerCpu(type: MapType): boolean {
  return (
    type === MapType.PERCPU_HASH ||
    type === MapType.PERCPU_ARRAY ||
    type === MapType.LRU_PERCPU_HASH ||
    type === MapType.PERCPU_CGROUP_STORAGE
  );
}

/** Whether the map is a queue or a stack: values only, pushed and popped. */
export function isQueue(type: MapType): boolean {
  return type === MapType.QUEUE || type === MapType.STACK;
}
