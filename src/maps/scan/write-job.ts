import type { Columns, CpuTarget, OnError, UpdateMode } from "../columns.js";
import { ElementWriter } from "../element-writer.js";
import { UPDATE_ELEMENT } from "../explain.js";
import { type Applied, Outcome } from "../outcome.js";
import type { JobContext } from "../threads/job-context.js";
import { explainFor, type ScanTarget } from "./scan-target.js";

/** What to write. Plain data. */
export interface WriteArgs {
  readonly target: ScanTarget;
  readonly columns: Columns;
  readonly mode: UpdateMode;
  readonly cpuTarget?: CpuTarget | undefined;
  readonly lock: boolean;
  readonly onError: OnError;
}

/**
 * Writes elements that have been checked, for maps whose updates take long: those of maps
 * in maps wait until no program uses the old inner map (maybe_wait_bpf_programs).
 */
export async function writeJob(args: WriteArgs, context: JobContext): Promise<Applied> {
  const { target, columns, mode, cpuTarget, lock, onError } = args;
  const abilities = { updateBatch: target.updateBatch, singleCpuByKernel: false };
  const options = { mode, target: cpuTarget, lock };
  const writer = new ElementWriter(target.fd, target.layout, abilities, options);
  const explain = (errno: string, operation: string) => explainFor(target, errno, operation);
  const outcome = new Outcome({ label: target.label, explain }, UPDATE_ELEMENT, { onError, lock });
  try {
    while (outcome.next < columns.count) {
      const { written, errno } = writer.write(columns, outcome.next);
      outcome.succeed(written);
      if (errno !== undefined) outcome.fail(errno);
      await context.turn();
    }
  } finally {
    writer.release();
  }
  const { applied, failures } = outcome;
  return { applied, failures };
}
