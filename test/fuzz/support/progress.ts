/** How long nothing at all may end: only what hangs takes so long. */
const STUCK_MS = 60_000;
const TOLD = 3;

/** Watches calls end, and fails when none does any more. */
export class Progress {
  readonly #pending = new Set<() => string>();
  #ended = 0;

  /** A call runs, which is told as this where it does not end. */
  async follow<T>(describe: () => string, call: Promise<T>): Promise<T> {
    this.#pending.add(describe);
    try {
      return await call;
    } finally {
      this.#pending.delete(describe);
      this.#ended += 1;
    }
  }

  /** Does the work, or fails where none of the calls in it ends for a long time. */
  async watch(work: Promise<void>): Promise<void> {
    let seen = this.#ended;
    let timer: NodeJS.Timeout | undefined;
    const stuck = new Promise<never>((_, reject) => {
      timer = setInterval(() => {
        if (this.#ended === seen) reject(new Error(this.#told()));
        seen = this.#ended;
      }, STUCK_MS);
    });
    try {
      await Promise.race([work, stuck]);
    } finally {
      clearInterval(timer);
    }
  }

  #told(): string {
    const some = [...this.#pending].slice(0, TOLD).map((describe) => describe());
    return `${this.#pending.size} calls do not end, such as:\n${some.join("\n")}`;
  }
}
