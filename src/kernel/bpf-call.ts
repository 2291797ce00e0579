import { type Arena, withArena } from "./arena.js";
import { errnoName, KernelError } from "./errno.js";
import { bpf } from "./libc.js";
import { BpfCommand } from "./numbers.js";

/**
 * One bpf(2) command with an attribute of its own, for calls that are not hot. Throws
 * KernelError. `extra` is room after the attribute for what it points to.
 *
 * The attribute is zeroed whole: a kernel answers E2BIG to non-zero bytes past the
 * fields that it knows, and ignores zeros.
 */
export function bpfCall<T = number>(
  command: keyof typeof BpfCommand,
  attrSize: number,
  extra: number,
  fill: (attr: Arena, extraOffset: number) => void,
  read: (result: number, attr: Arena, extraOffset: number) => T,
): T {
  const extraOffset = (attrSize + 7) & ~7;
  return withArena(extraOffset + extra, (arena) => {
    fill(arena, extraOffset);
    const result = bpf(BpfCommand[command], arena.address, attrSize);
    if (result < 0) throw new KernelError(errnoName(-result), `BPF_${command}`);
    return read(result, arena, extraOffset);
  });
}

/** The result itself: for commands that answer with a new fd or with nothing. */
export const itself = (result: number): number => result;
