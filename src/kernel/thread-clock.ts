import { Arena } from "./arena.js";
import { errnoName, KernelError } from "./errno.js";
import { clockGettime } from "./libc.js";

const CLOCK_THREAD_CPUTIME_ID = 3;

/** `struct timespec`; kept, as a module's instance belongs to a thread. */
const time = Arena.take(16);

/** CPU time that the calling thread has used so far, in milliseconds. */
export function threadCpuMs(): number {
  const result = clockGettime(CLOCK_THREAD_CPUTIME_ID, time.address);
  if (result < 0) throw new KernelError(errnoName(-result), "clock_gettime");
  return Number(time.getU64(0)) * 1e3 + time.getU32(8) / 1e6;
}
