import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MapError } from "#dist/maps/map-error.js";
import { resultOf, ThreadPool } from "#dist/maps/threads/thread-pool.js";
import { collectGarbage } from "../../support/collect-garbage.js";
import { streamOf } from "../support/elements.js";
import { eventually, expectFailure } from "../support/outcome.js";

const ENTRY = new URL("../support/thread-jobs.mjs", import.meta.url);

let pool: ThreadPool;
beforeEach(() => {
  pool = new ThreadPool(ENTRY, 2, 6);
});
afterEach(() => pool.close());

/** A counter that a job's thread shares with the test. */
const counter = () => new Int32Array(new SharedArrayBuffer(4));
const read = (count: Int32Array) => Atomics.load(count, 0);
const never = () => new AbortController().signal;

const result = (
  kind: string,
  args: object = {},
  signal = never(),
  input?: AsyncIterable<unknown>,
) => resultOf(pool.run<never, unknown>(kind, args, signal, input));

/** Starts a job that spins, and waits until it does. */
async function spin(signal: AbortSignal): Promise<{ turns: Int32Array; end: Promise<unknown> }> {
  const turns = counter();
  const end = result("spin", { turns }, signal).catch((error: unknown) => error);
  await eventually(() => read(turns)).toBeGreaterThan(0);
  return { turns, end };
}

describe("a job", () => {
  it("sends its outputs in order, and then its result", async () => {
    const job = pool.run<number, string>("numbers", { most: 50 }, never());
    const outputs: number[] = [];
    let step = await job.next();
    for (; !step.done; step = await job.next()) outputs.push(step.value);
    expect(outputs).toEqual(Array.from({ length: 50 }, (_, number) => number));
    expect(step.value).toBe("all sent");
    expect(pool.jobCount).toBe(0);
  });

  it("takes its inputs in order, to their end", async () => {
    const inputs = Array.from({ length: 500 }, (_, number) => number);
    expect(await result("sum", {}, never(), streamOf(inputs))).toBe(124_750);
    expect(await result("sum", {}, never(), streamOf([]))).toBe(0);
  });

  it("runs beside others, more of them than there are threads", async () => {
    const sums = Array.from({ length: 6 }, (_, number) =>
      result("sum", {}, never(), streamOf([number, 10])),
    );
    expect(await Promise.all(sums)).toEqual([10, 11, 12, 13, 14, 15]);
  });

  it("that fails by a defect answers INTERNAL, and hides what it was", async () => {
    const error = await expectFailure(result("fail"), "INTERNAL");
    expect(error.message).not.toContain("a defect");
    // An error, as the log tells causes of no other kind.
    expect(error.cause).toBeInstanceOf(Error);
    expect((error.cause as Error).stack).toMatch(/^TypeError: a defect\n +at /);
    expect(await result("sum", {}, never(), streamOf([1, 2]))).toBe(3);
  });
});

describe("jobs that are over", () => {
  it("leave nothing in memory, however many there were", async () => {
    const run = async (jobs: number) => {
      for (let job = 0; job < jobs; job++) {
        await resultOf(pool.runHere<never, number>(async () => job, {}, never()));
      }
      return (await collectGarbage()).heapUsed;
    };
    const before = await run(5000);
    const jobs = 50_000;
    // A place in a list of theirs would be some dozens of bytes.
    expect((await run(jobs)) - before).toBeLessThan(jobs * 16);
  });
});

describe("back-pressure", () => {
  it("stops a job whose consumer does not read, after a few outputs", async () => {
    const sent = counter();
    const job = pool.run<number, string>("numbers", { most: 1_000_000, sent }, never());
    await job.next();
    await eventually(() => read(sent)).toBe(4);
    // Another job on each thread makes turns all the while; the first stands still.
    await Promise.all([1, 2].map(() => result("sum", {}, never(), streamOf(Array(300).fill(1)))));
    expect(read(sent)).toBe(4);
    for (let step = 0; step < 10; step++) await job.next();
    await eventually(() => read(sent)).toBe(14);
    await job.return("enough");
    expect(pool.jobCount).toBe(0);
  });

  it("stops an input whose job does not take it, after a few values", async () => {
    const go = counter();
    let pulled = 0;
    async function* endless(): AsyncGenerator<number> {
      for (;;) yield pulled++;
    }
    const call = result("deaf", { go }, never(), endless());
    await eventually(() => pulled).toBe(5);
    await result("sum", {}, never(), streamOf(Array(300).fill(1)));
    expect(pulled).toBe(5);
    Atomics.store(go, 0, 1);
    expect(await call).toBe("let go");
  });
});

describe("the end of a job from outside", () => {
  it("by the signal stops its thread's loop and rejects with the signal's reason", async () => {
    const abort = new AbortController();
    const { turns, end } = await spin(abort.signal);
    abort.abort(new RangeError("had enough"));
    expect(await end).toEqual(new RangeError("had enough"));
    const stopped = read(turns);
    await result("sum", {}, never(), streamOf(Array(100).fill(1)));
    expect(read(turns)).toBe(stopped);
    expect(pool.jobCount).toBe(0);
  });

  it("by a signal that had fired before starts nothing that goes on", async () => {
    const turns = counter();
    const call = result("spin", { turns }, AbortSignal.abort(new RangeError("too late")));
    await expect(call).rejects.toThrow("too late");
    expect(pool.jobCount).toBe(0);
  });

  it("by a consumer that leaves the loop", async () => {
    const sent = counter();
    for await (const number of pool.run<number, string>("numbers", { most: 1e6, sent }, never())) {
      if (number === 20) break;
    }
    expect(pool.jobCount).toBe(0);
    const stopped = read(sent);
    await result("sum", {}, never(), streamOf(Array(100).fill(1)));
    expect(read(sent)).toBe(stopped);
  });

  it("by its input's failure rejects with that very error", async () => {
    const failure = new RangeError("the client went away");
    async function* broken(): AsyncGenerator<number> {
      yield 1;
      throw failure;
    }
    await expect(result("sum", {}, never(), broken())).rejects.toBe(failure);
    expect(pool.jobCount).toBe(0);
  });

  it("by the signal closes an input that is waiting for room", async () => {
    const abort = new AbortController();
    let isClosed = false;
    async function* endless(): AsyncGenerator<number> {
      try {
        for (;;) yield 1;
      } finally {
        isClosed = true;
      }
    }
    const call = result("deaf", { go: counter() }, abort.signal, endless());
    setImmediate(() => abort.abort(new RangeError("had enough")));
    await expect(call).rejects.toThrow("had enough");
    await eventually(() => isClosed).toBe(true);
  });
});

describe("a thread that dies", () => {
  it.each(["crash", "exit"])(
    "by %s ends its jobs with INTERNAL, and the pool goes on",
    async (how) => {
      pool = new ThreadPool(ENTRY, 1, 6);
      const { end } = await spin(never());
      await expectFailure(result(how), "INTERNAL");
      expect(((await end) as MapError).reason).toBe("INTERNAL");
      expect(pool.jobCount).toBe(0);
      expect(await result("sum", {}, never(), streamOf([20, 22]))).toBe(42);
    },
  );

  it("takes no job of another thread with it", async () => {
    const abort = new AbortController();
    const { turns, end } = await spin(abort.signal);
    await expectFailure(result("crash"), "INTERNAL");
    const before = read(turns);
    await eventually(() => read(turns)).toBeGreaterThan(before);
    abort.abort(new RangeError("had enough"));
    expect(await end).toEqual(new RangeError("had enough"));
  });
});

describe("limits and the end of the pool", () => {
  it("refuse one job more than are allowed, and take it when one has ended", async () => {
    pool = new ThreadPool(ENTRY, 1, 2);
    const abort = new AbortController();
    const first = await spin(abort.signal);
    const second = await spin(abort.signal);
    const error = await expectFailure(result("sum", {}, never(), streamOf([1])), "LIMIT_EXCEEDED");
    expect(error.message).toContain("limits.max_scans");
    abort.abort(new RangeError("had enough"));
    await Promise.all([first.end, second.end]);
    expect(await result("sum", {}, never(), streamOf([1]))).toBe(1);
  });

  it("end every job with DAEMON_STOPPING, and refuse new ones", async () => {
    const running = await Promise.all([spin(never()), spin(never()), spin(never())]);
    await pool.close();
    for (const { end } of running) {
      expect(((await end) as MapError).reason).toBe("DAEMON_STOPPING");
    }
    expect(pool.jobCount).toBe(0);
    await expectFailure(result("sum", {}, never(), streamOf([1])), "DAEMON_STOPPING");
  });
});
