import { bpfCall, itself } from "./bpf-call.js";

function call(command: "OBJ_PIN" | "OBJ_GET", path: string, fd: number): number {
  const bytes = Buffer.from(`${path}\0`);
  return bpfCall(
    command,
    16,
    bytes.length,
    (attr, pathname) => {
      bytes.copy(attr.bytes, pathname);
      attr.setU64(0, attr.at(pathname));
      attr.setU32(8, fd);
    },
    itself,
  );
}

/** BPF_OBJ_PIN: pins the object of an fd at a path. Throws KernelError. */
export function objPin(path: string, fd: number): void {
  call("OBJ_PIN", path, fd);
}

/** BPF_OBJ_GET: a new fd (close-on-exec) of the object pinned at a path. */
export function objGet(path: string): number {
  return call("OBJ_GET", path, 0);
}
