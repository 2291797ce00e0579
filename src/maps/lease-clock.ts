/** Longest delay of a timer: a signed 32-bit number of milliseconds. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/**
 * Leases by name: calls back once for each whose time to live has passed since it was
 * started or kept alive. Runs on the monotonic clock, so that setting the host's clock
 * ends no lease. Does not keep the process alive.
 */
export class LeaseClock {
  readonly #leases = new Map<string, { readonly leaseMs: number; deadline: number }>();
  readonly #onExpiry: (name: string) => void;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires; never later than the first deadline. */
  #wakeAt = Number.POSITIVE_INFINITY;

  constructor(onExpiry: (name: string) => void) {
    this.#onExpiry = onExpiry;
  }

  /** Starts a lease, or starts it anew with another time to live. */
  start(name: string, leaseMs: number): void {
    const deadline = performance.now() + leaseMs;
    this.#leases.set(name, { leaseMs, deadline });
    // A later deadline needs no new timer: the old one looks again when it fires.
    if (deadline < this.#wakeAt) this.#wake(deadline);
  }

  /** Starts a lease anew with the time to live it has; nothing for a name without one. */
  keepAlive(name: string): void {
    const lease = this.#leases.get(name);
    if (lease) this.start(name, lease.leaseMs);
  }

  /** Ends a lease without calling back. */
  stop(name: string): void {
    this.#leases.delete(name);
  }

  /** When a lease runs out, in milliseconds since the epoch by the host's clock now. */
  expiresAtMs(name: string): number | undefined {
    const lease = this.#leases.get(name);
    return lease && Math.round(Date.now() + lease.deadline - performance.now());
  }

  /** Ends all leases without calling back. */
  close(): void {
    this.#leases.clear();
    clearTimeout(this.#timer);
  }

  #wake(at: number): void {
    clearTimeout(this.#timer);
    this.#wakeAt = at;
    const delay = Math.min(Math.max(at - performance.now(), 0), LONGEST_DELAY_MS);
    this.#timer = setTimeout(() => this.#look(), delay);
    this.#timer.unref();
  }

  #look(): void {
    const now = performance.now();
    const due: string[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const [name, { deadline }] of this.#leases) {
      if (deadline <= now) due.push(name);
      else next = Math.min(next, deadline);
    }
    for (const name of due) this.#leases.delete(name);
    this.#wakeAt = next;
    if (next < Number.POSITIVE_INFINITY) this.#wake(next);
    for (const name of due) this.#onExpiry(name);
  }
}
