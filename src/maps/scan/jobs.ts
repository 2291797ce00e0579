import type { JobContext } from "../threads/job-context.js";
import { clearJob } from "./clear-job.js";
import { countJob } from "./count-job.js";
import { dumpJob } from "./dump-job.js";
import { loadJob } from "./load-job.js";

/** Arguments cross between threads untyped; the callers of `ThreadPool.run` type them. */
type Job = (args: never, context: JobContext) => Promise<unknown>;

/** The jobs that scan threads do, by the kind that `ThreadPool.run` is given. */
export const JOBS: Readonly<Record<string, Job>> = {
  dump: dumpJob,
  count: countJob,
  clear: clearJob,
  load: loadJob,
};
