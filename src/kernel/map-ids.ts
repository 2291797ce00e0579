import type { Arena } from "./arena.js";
import { bpfCall, itself } from "./bpf-call.js";
import { nextId } from "./next-id.js";
import { BPF_F_RDONLY } from "./numbers.js";

/** BPF_MAP_GET_NEXT_ID: the next map id after `id`, or undefined after the last. */
export function mapNextId(id: number): number | undefined {
  return nextId("MAP_GET_NEXT_ID", id);
}

/**
 * BPF_MAP_GET_FD_BY_ID: a new fd (close-on-exec) of the map with this id.
 *
 * @param readOnly one that the kernel lets read only (BPF_F_RDONLY)
 */
export function mapGetFdById(id: number, readOnly = false): number {
  const fill = (attr: Arena) => {
    attr.setU32(0, id);
    if (readOnly) attr.setU32(8, BPF_F_RDONLY);
  };
  return bpfCall("MAP_GET_FD_BY_ID", 12, 0, fill, itself);
}
