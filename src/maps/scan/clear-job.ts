import { ElementWriter } from "../element-writer.js";
import { isFixed } from "../map-layout.js";
import type { JobContext } from "../threads/job-context.js";
import { ElementRemover } from "./element-remover.js";
import { openSource } from "./element-source.js";
import { explainFor, type ScanTarget } from "./scan-target.js";

/** What to clear. Plain data. */
export interface ClearArgs {
  readonly target: ScanTarget;
  readonly dedupMemoryBytes: number;
}

/** Removes every element of a map; sets those of an array to zero. */
export function clearJob(args: ClearArgs, context: JobContext): Promise<{ removed: number }> {
  return isFixed(args.target.layout.type) ? zero(args.target, context) : remove(args, context);
}

async function remove(args: ClearArgs, context: JobContext): Promise<{ removed: number }> {
  const remover = new ElementRemover(args.target);
  let removed = 0;
  try {
    for (;;) {
      const walk = await removeInOneWalk(args, remover, context);
      removed += walk.removed;
      // A walk whose memory was full left elements behind; the next starts with it empty.
      if (walk.isComplete || walk.removed === 0) return { removed };
    }
  } finally {
    remover.release();
  }
}

async function removeInOneWalk(
  { target, dedupMemoryBytes }: ClearArgs,
  remover: ElementRemover,
  context: JobContext,
): Promise<{ removed: number; isComplete: boolean }> {
  const source = openSource(target, {
    stretch: remover.stretch,
    dedupMemoryBytes,
    // The walk stands on keys that it deletes, so the kernel restarts it all the time;
    // it ends because what it passed is gone.
    maxRestarts: Number.POSITIVE_INFINITY,
  });
  let removed = 0;
  try {
    while (source.next()) {
      removed += remover.remove(source.keys, 0, source.count);
      await context.turn();
    }
    return { removed, isComplete: source.stats.incomplete === undefined };
  } finally {
    source.release();
  }
}

async function zero(target: ScanTarget, context: JobContext): Promise<{ removed: number }> {
  const { layout } = target;
  const writer = new ElementWriter(
    target.fd,
    layout,
    { updateBatch: target.updateBatch, singleCpuByKernel: false },
    { mode: "any", lock: false },
  );
  const values = Buffer.alloc(writer.stretch * layout.valueStride);
  const keys = Buffer.alloc(writer.stretch * layout.keySize);
  try {
    for (let index = 0; index < layout.maxEntries; ) {
      const count = Math.min(writer.stretch, layout.maxEntries - index);
      for (let slot = 0; slot < count; slot++) keys.writeUInt32LE(index + slot, slot * 4);
      const { written, errno } = writer.write({ count, keys, values }, 0);
      if (errno !== undefined) throw explainFor(target, errno, "set an element to zero");
      index += written;
      await context.turn();
    }
    return { removed: layout.maxEntries };
  } finally {
    writer.release();
  }
}
