import { bpfCall, itself } from "./bpf-call.js";

/** BPF_MAP_FREEZE: user space can no longer write the map. Throws KernelError. */
export function mapFreeze(fd: number): void {
  bpfCall("MAP_FREEZE", 4, 0, (attr) => attr.setU32(0, fd), itself);
}
