import { serveJobs } from "../threads/serve-jobs.js";
import { clearJob } from "./clear-job.js";
import { countJob } from "./count-job.js";
import { dumpJob } from "./dump-job.js";
import { loadJob } from "./load-job.js";

/* Entry of a scan thread. */
serveJobs({ dump: dumpJob, count: countJob, clear: clearJob, load: loadJob });
