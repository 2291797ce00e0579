import { Readable } from "node:stream";
import type { ThreadPool } from "../maps/index.js";
import type { MarkCommand, RecordArgs, RecordReport } from "./record-protocol.js";
import { Subscription } from "./subscription.js";

/** A subscriber's place in a feed. */
export interface Joined {
  readonly subscription: Subscription;
  /** Number of the first record that it can get. */
  readonly nextSequence: number;
}

/**
 * The one reader of a map, for all who want its records: a job in a thread, whose batches
 * every subscriber gets. The map is open for as long as it is read.
 */
export class RecordFeed {
  readonly args: RecordArgs;
  /** Settles when the reader is gone, so that another one may read the ring. */
  readonly ended: Promise<void>;
  readonly #members = new Set<Subscription>();
  /** The members that get what comes now. */
  readonly #active = new Set<Subscription>();
  readonly #commands = new Readable({ objectMode: true, read() {} });
  readonly #stop = new AbortController();
  readonly #opened: Signal;
  readonly #marks: Signal[] = [];
  #nextSequence = 0;
  #isOver = false;

  /** @param release closes the map; called when the reader is gone */
  constructor(threads: ThreadPool, args: RecordArgs, release: () => void) {
    this.args = args;
    this.#opened = makeSignal();
    this.ended = this.#run(threads, release);
  }

  /** Whether it ends or has ended: not one to join. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get memberCount(): number {
    return this.#members.size;
  }

  /**
   * Adds a subscriber, whose `close` takes it away again; the last one ends the feed. It
   * gets what comes from now on, or with `fromNow` only what is written from now on.
   * Throws what the reader failed with.
   */
  async join(queueBytes: number, fromNow: boolean): Promise<Joined> {
    const subscription: Subscription = new Subscription(queueBytes, () =>
      this.#leave(subscription),
    );
    const isFirst = this.#members.size === 0;
    this.#members.add(subscription);
    try {
      // The first one's reader begins where it wants.
      if (!fromNow || isFirst) this.#active.add(subscription);
      const nextSequence = this.#nextSequence;
      await this.#opened.promise;
      if (this.#active.has(subscription)) return { subscription, nextSequence };
      return { subscription, nextSequence: await this.#joinBehindMark(subscription) };
    } catch (error) {
      subscription.close();
      throw error;
    }
  }

  async #joinBehindMark(subscription: Subscription): Promise<number> {
    const mark = makeSignal();
    let nextSequence = 0;
    this.#marks.push({
      ...mark,
      settle: (error) => {
        nextSequence = this.#nextSequence;
        if (!error) this.#active.add(subscription);
        mark.settle(error);
      },
    });
    const command: MarkCommand = { type: "mark" };
    this.#commands.push(command);
    await mark.promise;
    return nextSequence;
  }

  #leave(subscription: Subscription): void {
    this.#members.delete(subscription);
    this.#active.delete(subscription);
    if (this.#members.size > 0) return;
    this.#isOver = true;
    this.#stop.abort();
  }

  async #run(threads: ThreadPool, release: () => void): Promise<void> {
    const { signal } = this.#stop;
    try {
      const reports = threads.run<RecordReport, void>("records", this.args, signal, this.#commands);
      for await (const report of reports) this.#take(report);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isOver = true;
      this.#commands.push(null);
      release();
    }
  }

  #take(report: RecordReport): void {
    switch (report.type) {
      case "opened":
        this.#opened.settle();
        return;
      case "batch":
        this.#nextSequence = report.batch.firstSequence + report.batch.count;
        for (const subscription of this.#active) subscription.offer(report.batch);
        return;
      case "lost":
        if (report.loss.reason === "too_large") this.#nextSequence += report.loss.count;
        for (const subscription of this.#active) subscription.lose(report.loss);
        return;
      case "marked":
        this.#marks.shift()?.settle();
    }
  }

  #fail(error: unknown): void {
    this.#isOver = true;
    for (const signal of [this.#opened, ...this.#marks]) signal.settle({ error });
    for (const subscription of this.#members) subscription.fail(error);
  }
}

/** A promise to be settled once from outside. Nobody has to wait for it. */
interface Signal {
  readonly promise: Promise<void>;
  settle(failure?: { readonly error: unknown }): void;
}

function makeSignal(): Signal {
  let settle: Signal["settle"] = () => {};
  const promise = new Promise<void>((resolve, reject) => {
    settle = (failure) => (failure ? reject(failure.error) : resolve());
  });
  promise.catch(() => {});
  return { promise, settle };
}
