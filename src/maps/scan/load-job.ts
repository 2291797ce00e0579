import type { JobContext } from "../threads/job-context.js";
import type { LoadArgs, LoadResult } from "./load-input.js";
import { mergeJob } from "./merge-job.js";
import { pictureJob } from "./picture-job.js";

/** Writes a stream of elements into a map. */
export function loadJob(args: LoadArgs, context: JobContext): Promise<LoadResult> {
  const isPlainMerge = args.strategy === "merge" && !args.dryRun;
  return isPlainMerge ? mergeJob(args, context) : pictureJob(args, context);
}
