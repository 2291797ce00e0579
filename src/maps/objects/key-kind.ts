import { MapType } from "../map-type.js";
import type { ObjectKey } from "../object-ref.js";

/** What a type's keys are; types without object keys are not here. */
const KEY_KINDS: ReadonlyMap<MapType, ObjectKey["kind"]> = new Map([
  [MapType.SK_STORAGE, "socket"],
  [MapType.INODE_STORAGE, "path"],
  [MapType.TASK_STORAGE, "task"],
  [MapType.CGRP_STORAGE, "cgroup"],
  [MapType.CGROUP_STORAGE, "attachment"],
  [MapType.PERCPU_CGROUP_STORAGE, "attachment"],
]);

/** The kind of object that keys of a type can be named by; undefined for none. */
export function objectKeyKind(type: MapType): ObjectKey["kind"] | undefined {
  return KEY_KINDS.get(type);
}
