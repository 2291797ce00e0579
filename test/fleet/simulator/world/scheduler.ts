import { hash } from "./random.ts";

/** Kept from before time is virtual. */
const nextTurn = setImmediate;

/** Events that are carried out before the process looks at its sockets and pipes again. */
const BATCH = 256;

/** What is to happen at a time. */
export interface Planned {
  /** It happens no more. */
  cancel(): void;
}

interface Event extends Planned {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/**
 * Time that goes from event to event. Between two of them everything is done that waits for
 * nothing but promises, so that the same events come in the same order each time.
 */
export class Scheduler {
  /** Milliseconds since the simulation began. */
  now = 0;
  /** Events that were carried out. */
  events = 0;
  readonly #heap: Event[] = [];
  #order = 0;
  #trace = hash("trace");
  #failure: { readonly error: unknown } | undefined;

  /** Of everything that has happened so far. */
  get trace(): string {
    return this.#trace.toString(16).padStart(8, "0");
  }

  /** Lets a text count for the trace. */
  mix(text: string): void {
    this.#trace = hash(text, this.#trace);
  }

  at(at: number, run: () => void): Planned {
    const event: Event = {
      ...{ at: Math.max(at, this.now), order: this.#order++, run },
      cancel() {
        event.run = undefined;
      },
    };
    this.#push(event);
    return event;
  }

  after(ms: number, run: () => void): Planned {
    return this.at(this.now + ms, run);
  }

  /** Ends `run` with an error. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /** Lets time go on to a moment. */
  run(until: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const turn = () => {
        if (isOver) return;
        try {
          isOver = !this.#step(until);
          if (isOver) resolve();
        } catch (error) {
          isOver = true;
          reject(error);
        }
      };
      const batch = () => {
        if (isOver) return;
        for (let index = 0; index < BATCH; index++) nextTurn(turn);
        nextTurn(batch);
      };
      batch();
    });
  }

  /** Answers whether there was something to do. */
  #step(until: number): boolean {
    if (this.#failure) throw this.#failure.error;
    for (let event = this.#heap[0]; event && event.at <= until; event = this.#heap[0]) {
      this.#pop();
      if (event.run === undefined) continue;
      this.now = event.at;
      this.events++;
      this.#trace = Math.imul(this.#trace ^ event.order, 0x01000193) >>> 0;
      event.run();
      return true;
    }
    this.now = until;
    return false;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    for (let child = 1; child < heap.length; child = 2 * index + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
