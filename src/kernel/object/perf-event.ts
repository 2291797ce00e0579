import { withArena } from "../arena.js";
import { errnoName, KernelError } from "../errno.js";
import { perfEventOpen } from "../libc.js";

/** `struct perf_event_attr` up to `aux_sample_size` (PERF_ATTR_SIZE_VER6). */
const ATTR_SIZE = 112;
const PERF_FLAG_FD_CLOEXEC = 8;
/** PERF_TYPE_SOFTWARE and PERF_COUNT_SW_BPF_OUTPUT, which programs write samples to. */
const SOFTWARE = 1;
const BPF_OUTPUT = 10n;
const SAMPLE_RAW = 1 << 10;

/** What to count, with the numbers of `struct perf_event_attr`. */
export interface PerfEventAttributes {
  /** PERF_TYPE_*. */
  readonly type: number;
  /** The event within its type. */
  readonly config: bigint;
  /** One that is online. */
  readonly cpu: number;
}

/**
 * perf_event_open(2) for all processes on one CPU: an fd (close-on-exec) of an event that
 * counts from now on. Throws KernelError: ENODEV for a CPU that is not online, ENOENT or
 * EINVAL for an event that this machine does not have.
 */
export function openPerfEvent({ type, config, cpu }: PerfEventAttributes): number {
  return withArena(ATTR_SIZE, (attr) => {
    attr.bytes.fill(0, 0, ATTR_SIZE);
    attr.setU32(0, type);
    attr.setU32(4, ATTR_SIZE);
    attr.view.setBigUint64(8, config, true);
    // bpf_perf_event_output takes no other samples.
    if (type === SOFTWARE && config === BPF_OUTPUT) attr.setU64(24, SAMPLE_RAW);
    const result = perfEventOpen(attr.address, cpu, PERF_FLAG_FD_CLOEXEC);
    if (result < 0) throw new KernelError(errnoName(-result), "perf_event_open");
    return result;
  });
}
