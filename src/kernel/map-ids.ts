import { bpfCall, itself } from "./bpf-call.js";
import { nextId } from "./next-id.js";

/** BPF_MAP_GET_NEXT_ID: the next map id after `id`, or undefined after the last. */
export function mapNextId(id: number): number | undefined {
  return nextId("MAP_GET_NEXT_ID", id);
}

/** BPF_MAP_GET_FD_BY_ID: a new fd (close-on-exec) of the map with this id. */
export function mapGetFdById(id: number): number {
  return bpfCall("MAP_GET_FD_BY_ID", 12, 0, (attr) => attr.setU32(0, id), itself);
}
