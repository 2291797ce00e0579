import { bpfCall, itself } from "./bpf-call.js";
import { BPF_F_RDONLY } from "./numbers.js";

function call(command: "OBJ_PIN" | "OBJ_GET", path: string, fd: number, flags = 0): number {
  const bytes = Buffer.from(`${path}\0`);
  return bpfCall(
    command,
    16,
    bytes.length,
    (attr, pathname) => {
      bytes.copy(attr.bytes, pathname);
      attr.setU64(0, attr.at(pathname));
      attr.setU32(8, fd);
      attr.setU32(12, flags);
    },
    itself,
  );
}

/** BPF_OBJ_PIN: pins the object of an fd at a path. Throws KernelError. */
export function objPin(path: string, fd: number): void {
  call("OBJ_PIN", path, fd);
}

/**
 * BPF_OBJ_GET: a new fd (close-on-exec) of the object pinned at a path.
 *
 * @param readOnly one that the kernel lets read only (BPF_F_RDONLY); for maps
 */
export function objGet(path: string, readOnly = false): number {
  return call("OBJ_GET", path, 0, readOnly ? BPF_F_RDONLY : 0);
}
