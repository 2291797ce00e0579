import { bpfCall, itself } from "./bpf-call.js";
import { KernelError } from "./errno.js";

/** Ids are positive ints; the kernel answers EINVAL, not ENOENT, to what lies past them. */
const LARGEST_ID = 2 ** 31 - 1;

/** BPF_MAP_GET_NEXT_ID: the next map id after `id`, or undefined after the last. */
export function mapNextId(id: number): number | undefined {
  if (id >= LARGEST_ID) return undefined;
  try {
    return bpfCall(
      "MAP_GET_NEXT_ID",
      12,
      0,
      (attr) => attr.setU32(0, id),
      (_, attr) => attr.getU32(4),
    );
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENOENT") return undefined;
    throw error;
  }
}

/** BPF_MAP_GET_FD_BY_ID: a new fd (close-on-exec) of the map with this id. */
export function mapGetFdById(id: number): number {
  return bpfCall("MAP_GET_FD_BY_ID", 12, 0, (attr) => attr.setU32(0, id), itself);
}
