import { serveJobs } from "../maps/index.js";
import { watchJob } from "./watch-job.js";

/* Entry of a watch thread. */
serveJobs({ watch: watchJob });
