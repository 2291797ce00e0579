import { bpfCall } from "./bpf-call.js";
import { KernelError } from "./errno.js";

/** The commands that walk the ids of all objects of one kind. */
type NextIdCommand =
  | "MAP_GET_NEXT_ID"
  | "PROG_GET_NEXT_ID"
  | "BTF_GET_NEXT_ID"
  | "LINK_GET_NEXT_ID";

/** Ids are positive ints; the kernel answers EINVAL, not ENOENT, to what lies past them. */
const LARGEST_ID = 2 ** 31 - 1;

/** The next id after `id`, or undefined after the last. Throws KernelError. */
export function nextId(command: NextIdCommand, id: number): number | undefined {
  if (id >= LARGEST_ID) return undefined;
  try {
    return bpfCall(
      command,
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
