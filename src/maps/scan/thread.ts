import { getPriority, setPriority } from "node:os";
import { serveJobs } from "../threads/serve-jobs.js";
import { aggregateJob } from "./aggregate-job.js";
import { clearJob } from "./clear-job.js";
import { countJob } from "./count-job.js";
import { dumpJob } from "./dump-job.js";
import { loadJob } from "./load-job.js";
import { writeJob } from "./write-job.js";

/**
 * Where CPUs are scarce the main thread, which answers single lookups, goes first: on
 * Linux a priority belongs to the thread that sets it. Lowering one needs no capability.
 */
const NICENESS = 5;

/* Entry of a scan thread. */
// A daemon may have been started lower, and raising one needs a capability.
setPriority(Math.max(NICENESS, getPriority()));
serveJobs({
  dump: dumpJob,
  count: countJob,
  aggregate: aggregateJob,
  clear: clearJob,
  load: loadJob,
  write: writeJob,
});
