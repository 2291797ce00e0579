import { setMaxListeners } from "node:events";
import { MessageChannel, Worker } from "node:worker_threads";
import { refusalOf } from "../explain.js";
import { MapError } from "../map-error.js";
import { JobClient } from "./job-client.js";
import type { JobStart } from "./job-message.js";
import { LocalPort } from "./local-port.js";
import { type Job, runJob } from "./serve-jobs.js";

interface Thread {
  readonly worker: Worker;
  readonly jobs: Set<JobClient>;
}

/** Threads for long work on maps, started when first needed. */
export class ThreadPool {
  /** Most threads. */
  readonly size: number;
  readonly #entry: URL;
  readonly #maxJobs: number;
  readonly #threads: Thread[] = [];
  readonly #closing = new AbortController();

  /**
   * @param entry module that a thread runs, which calls `serveJobs`
   * @param size most threads
   * @param maxJobs most jobs at a time; one more is refused with LIMIT_EXCEEDED
   */
  constructor(entry: URL, size: number, maxJobs: number) {
    // Each job that runs listens; Node would warn of the eleventh.
    setMaxListeners(0, this.#closing.signal);
    this.#entry = entry;
    this.size = size;
    this.#maxJobs = maxJobs;
  }

  /** Jobs that run now. */
  get jobCount(): number {
    return this.#threads.reduce((sum, thread) => sum + thread.jobs.size, 0);
  }

  /** Threads that have a job now. */
  get busyCount(): number {
    return this.#threads.filter((thread) => thread.jobs.size > 0).length;
  }

  /**
   * Runs a job on the thread with the fewest: yields its outputs, returns its result.
   *
   * @param args plain data; file descriptors in it must stay open until this has ended
   * @param input what the job receives, pulled as fast as it takes it
   */
  async *run<Output, Result>(
    kind: string,
    args: unknown,
    signal: AbortSignal,
    input?: AsyncIterable<unknown>,
  ): AsyncGenerator<Output, Result, undefined> {
    if (this.jobCount >= this.#maxJobs) {
      throw new MapError(
        "LIMIT_EXCEEDED",
        `${this.#maxJobs} dumps, loads, counts and clears run already (limits.max_scans): try again later`,
      );
    }
    const thread = this.#leastLoaded();
    const { port1, port2 } = new MessageChannel();
    const job = new JobClient(port1);
    thread.jobs.add(job);
    const start: JobStart = { kind, args, port: port2 };
    thread.worker.postMessage(start, [port2]);
    try {
      return yield* job.outputs<Output, Result>(input, [signal, this.#closing.signal]);
    } finally {
      thread.jobs.delete(job);
    }
  }

  /** Runs a job here and now, in the thread that asks: one that takes no longer than a call. */
  runHere<Output, Result>(
    job: Job,
    args: unknown,
    signal: AbortSignal,
    input?: AsyncIterable<unknown>,
  ): AsyncGenerator<Output, Result, undefined> {
    const [port, other] = LocalPort.pair();
    const client = new JobClient(port);
    void runJob(job, args, other);
    return client.outputs<Output, Result>(input, [signal, this.#closing.signal]);
  }

  /** Cancels all jobs and ends the threads. */
  async close(): Promise<void> {
    this.#closing.abort(new MapError("DAEMON_STOPPING", "the daemon is stopping"));
    await Promise.all(this.#threads.map((thread) => thread.worker.terminate()));
  }

  #leastLoaded(): Thread {
    this.#closing.signal.throwIfAborted();
    const idle = this.#threads.find((thread) => thread.jobs.size === 0);
    if (idle) return idle;
    if (this.#threads.length < this.size) return this.#start();
    return this.#threads.reduce((a, b) => (b.jobs.size < a.jobs.size ? b : a));
  }

  #start(): Thread {
    // Descriptors come from the kernel floor, not from node:fs, which would warn of closing them.
    const worker = new Worker(this.#entry, { trackUnmanagedFds: false });
    const thread: Thread = { worker, jobs: new Set() };
    // Jobs keep the process alive through their own ports; an idle thread must not.
    worker.unref();
    let cause: unknown;
    worker.on("error", (error) => {
      cause = explainFailedStart(error) ?? error; // "exit" follows
    });
    worker.on("exit", () => {
      this.#threads.splice(this.#threads.indexOf(thread), 1);
      for (const job of thread.jobs) job.abandon(cause);
    });
    this.#threads.push(thread);
    return thread;
  }
}

/**
 * The error of a thread that could not begin. Node tells the errno in its message only, as
 * in "Worker initialization failure: EMFILE".
 */
function explainFailedStart(error: unknown): MapError | undefined {
  const { code, message } = error as NodeJS.ErrnoException;
  const errno = code === "ERR_WORKER_INIT_FAILED" ? /: (E[A-Z]+)$/.exec(message)?.[1] : undefined;
  if (errno === undefined) return undefined;
  const { reason, advice } = refusalOf(errno);
  return new MapError(reason, `no thread can be started: ${advice}`, {
    metadata: { errno },
    cause: error,
  });
}

/** Runs a job that has no outputs to its result. */
export async function resultOf<Result>(job: AsyncGenerator<never, Result>): Promise<Result> {
  for (;;) {
    const step = await job.next();
    if (step.done) return step.value;
  }
}
