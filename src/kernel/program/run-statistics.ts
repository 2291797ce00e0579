import { bpfCall, itself } from "../bpf-call.js";

const BPF_STATS_RUN_TIME = 0;

/**
 * BPF_ENABLE_STATS: from now on the kernel counts runs and run time of all programs
 * (some 20 ns a run), until this fd (close-on-exec) is closed. Throws KernelError.
 */
export function enableRunStatistics(): number {
  return bpfCall("ENABLE_STATS", 4, 0, (attr) => attr.setU32(0, BPF_STATS_RUN_TIME), itself);
}
