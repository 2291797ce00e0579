import type { Columns, CpuTarget } from "../columns.js";
import { fillSlots } from "../cpu-slots.js";
import { checkColumns, checkKeysInRange } from "../element-check.js";
import type { JobContext } from "../threads/job-context.js";
import type { ScanTarget } from "./scan-target.js";

/** What a load does. Plain data; the elements are the job's inputs, as {@link Columns}. */
export interface LoadArgs {
  readonly target: ScanTarget;
  readonly strategy: "merge" | "replace";
  readonly dryRun: boolean;
  /** `TypeCapabilities.evicts`. */
  readonly evicts: boolean;
  /** Only `allCpus`. */
  readonly cpuTarget?: CpuTarget | undefined;
  readonly dedupMemoryBytes: number;
  readonly replaceMemoryBytes: number;
}

/** What a load did, or would do; the contract's `LoadMapResponse`. */
export interface LoadResult {
  readonly received: number;
  readonly written: number;
  readonly added?: number | undefined;
  readonly changed?: number | undefined;
  readonly unchanged?: number | undefined;
  readonly removed?: number | undefined;
}

/** The chunks of a load, each checked whole before anything of it is used. */
export async function* checkedInputs(
  { target, cpuTarget }: LoadArgs,
  context: JobContext,
): AsyncGenerator<Columns> {
  for await (const columns of context.inputs<Columns>()) {
    checkColumns(columns, target.layout, cpuTarget);
    checkKeysInRange(columns.keys, target.layout, target.keyKind, "elements.keys");
    yield columns;
  }
}

/** The values of a chunk as the map has them: one value for all CPUs fills every slot. */
export function wholeValues({ target, cpuTarget }: LoadArgs, columns: Columns): Buffer {
  const { values } = columns;
  if (!cpuTarget) return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const { valueSize, valueStride } = target.layout;
  const whole = Buffer.allocUnsafe(columns.count * valueStride);
  for (let index = 0; index < columns.count; index++) {
    const value = values.subarray(index * valueSize, (index + 1) * valueSize);
    fillSlots(target.layout, value, whole.subarray(index * valueStride, (index + 1) * valueStride));
  }
  return whole;
}
