import { parentPort } from "node:worker_threads";
import { JobContext } from "./job-context.js";
import { type JobStart, post, toPortable } from "./job-message.js";
import type { JobPort } from "./local-port.js";

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
  await runJob(jobs[kind] ?? unknownJob(kind), args, port);
}

function unknownJob(kind: string): Job {
  return () => Promise.reject(new Error(`no job is named ${kind}`));
}

/** Does one job, and tells its end. */
export async function runJob(job: Job, args: unknown, port: JobPort): Promise<void> {
  try {
    post(port, { type: "done", result: await job(args as never, new JobContext(port)) });
  } catch (error) {
    post(port, { type: "failed", error: toPortable(error) });
  } finally {
    port.close();
  }
}
