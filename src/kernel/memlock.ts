import { withArena } from "./arena.js";
import { errnoName, KernelError } from "./errno.js";
import { closeFd } from "./fd.js";
import { getrlimit, setrlimit } from "./libc.js";
import { mapCreate } from "./map-create.js";

const RLIMIT_MEMLOCK = 8;

/**
 * Lifts RLIMIT_MEMLOCK where this kernel charges maps to it (before 5.11; later ones
 * charge the memory cgroup). Tells whether it did. Throws KernelError where it may not.
 *
 * Whether the kernel does is tried, not derived from its version: with a limit of zero
 * it then refuses every map.
 */
export function raiseMemlockIfCharged(): boolean {
  return withArena(32, (limits) => {
    const old = limits.address;
    const lowered = limits.at(16);
    check(getrlimit(RLIMIT_MEMLOCK, old), "getrlimit");
    limits.view.setBigUint64(24, limits.getU64(8), true);
    check(setrlimit(RLIMIT_MEMLOCK, lowered), "setrlimit");
    const charged = !canCreateMap();
    if (charged) limits.bytes.fill(0xff, 0, 16);
    check(setrlimit(RLIMIT_MEMLOCK, old), "setrlimit");
    return charged;
  });
}

function canCreateMap(): boolean {
  try {
    closeFd(mapCreate({ type: 2, keySize: 4, valueSize: 4, maxEntries: 1 }));
    return true;
  } catch (error) {
    if (error instanceof KernelError) return false;
    throw error;
  }
}

function check(result: number, call: string): void {
  if (result < 0) throw new KernelError(errnoName(-result), call);
}
