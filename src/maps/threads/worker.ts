import { parentPort } from "node:worker_threads";
import { JOBS } from "../scan/jobs.js";
import { JobContext } from "./job-context.js";
import { type JobStart, post, toPortable } from "./job-message.js";

/*
 * Entry of a scan thread. Its event loop carries any number of jobs, each of which
 * gives way after every kernel call, so a slow consumer holds no thread.
 */

async function run({ kind, args, port }: JobStart): Promise<void> {
  try {
    const job = JOBS[kind];
    if (!job) throw new Error(`no job is named ${kind}`);
    post(port, { type: "done", result: await job(args as never, new JobContext(port)) });
  } catch (error) {
    post(port, { type: "failed", error: toPortable(error) });
  } finally {
    port.close();
  }
}

parentPort?.on("message", (start: JobStart) => void run(start));
