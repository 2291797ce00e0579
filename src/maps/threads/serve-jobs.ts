import { parentPort } from "node:worker_threads";
import { JobContext } from "./job-context.js";
import { type JobStart, post, toPortable } from "./job-message.js";

/** Arguments cross between threads untyped; the callers of `ThreadPool.run` type them. */
export type Job = (args: never, context: JobContext) => Promise<unknown>;

/**
 * Makes the running thread do jobs, by the kind that `ThreadPool.run` is given. The
 * thread's event loop carries any number of them, each of which gives way after every
 * kernel call, so a slow consumer holds no thread.
 */
export function serveJobs(jobs: Readonly<Record<string, Job>>): void {
  parentPort?.on("message", (start: JobStart) => void run(jobs, start));
}

async function run(jobs: Readonly<Record<string, Job>>, { kind, args, port }: JobStart) {
  try {
    const job = jobs[kind];
    if (!job) throw new Error(`no job is named ${kind}`);
    post(port, { type: "done", result: await job(args as never, new JobContext(port)) });
  } catch (error) {
    post(port, { type: "failed", error: toPortable(error) });
  } finally {
    port.close();
  }
}
