import { KernelError, mapFreeze } from "../kernel/index.js";
import type { OpenMap } from "./open-map.js";

/** Forbids user space to write an open map, for good. */
export function freeze(map: OpenMap): void {
  if (map.isFrozen()) throw map.explain("EPERM", "freeze");
  try {
    mapFreeze(map.fd);
  } catch (error) {
    if (error instanceof KernelError) throw map.explain(error.errno, "freeze");
    throw error;
  }
}
