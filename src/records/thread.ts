import { serveJobs } from "../maps/index.js";
import { recordJob } from "./record-job.js";

/* Entry of a thread that reads records. */
serveJobs({ records: recordJob });
