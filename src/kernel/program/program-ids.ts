import { bpfCall, itself } from "../bpf-call.js";
import { nextId } from "../next-id.js";

/** BPF_PROG_GET_NEXT_ID: the next program id after `id`, or undefined after the last. */
export function programNextId(id: number): number | undefined {
  return nextId("PROG_GET_NEXT_ID", id);
}

/** BPF_PROG_GET_FD_BY_ID: a new fd (close-on-exec) of the program with this id. */
export function programGetFdById(id: number): number {
  return bpfCall("PROG_GET_FD_BY_ID", 12, 0, (attr) => attr.setU32(0, id), itself);
}
