/**
 * When to scan next: at the shortest interval that anybody asks for, but no more than
 * scans of a large map leave of the CPU.
 */
export class PollSchedule {
  readonly #cpuShare: number;
  readonly #intervals = new Map<object, number>();
  #lastStarted = Number.NEGATIVE_INFINITY;
  #lastBusyMs = 0;

  /** @param cpuShare the part of one CPU that scans of one map may take, up to 1 */
  constructor(cpuShare: number) {
    this.#cpuShare = cpuShare;
  }

  /** Notes the interval that somebody asks for, in milliseconds. */
  want(who: object, intervalMs: number): void {
    this.#intervals.set(who, intervalMs);
  }

  /** Forgets what somebody asked for. */
  forget(who: object): void {
    this.#intervals.delete(who);
  }

  /** The interval between the starts of two scans as it is now, in milliseconds. */
  get intervalMs(): number {
    const wanted = Math.min(...this.#intervals.values());
    return Math.max(wanted, this.#lastBusyMs / this.#cpuShare);
  }

  /** Notes a scan that began now. */
  started(): void {
    this.#lastStarted = performance.now();
  }

  /** Notes how long the last scan kept its thread, in milliseconds. */
  finished(busyMs: number): void {
    this.#lastBusyMs = busyMs;
  }

  /** How long to wait for the next scan, in milliseconds; Infinity where nobody asks. */
  get delayMs(): number {
    if (this.#intervals.size === 0) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.#lastStarted + this.intervalMs - performance.now());
  }
}
