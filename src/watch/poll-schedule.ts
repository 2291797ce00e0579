/**
 * When to scan next: at the shortest interval that anybody asks for, but no more than
 * scans of a large map leave of the CPU.
 */
export class PollSchedule {
  readonly #cpuShare: number;
  readonly #intervals = new Map<object, number>();
  #shortestMs = Number.POSITIVE_INFINITY;
  #lastStarted = Number.NEGATIVE_INFINITY;
  #lastBusyMs = 0;
  #lastTookMs = 0;

  /** @param cpuShare the part of one CPU that scans of one map may take, up to 1 */
  constructor(cpuShare: number) {
    this.#cpuShare = cpuShare;
  }

  /** Notes the interval that somebody asks for, in milliseconds. */
  want(who: object, intervalMs: number): void {
    this.#intervals.set(who, intervalMs);
    this.#shortestMs = Math.min(this.#shortestMs, intervalMs);
  }

  /** Forgets what somebody asked for. */
  forget(who: object): void {
    const interval = this.#intervals.get(who);
    this.#intervals.delete(who);
    if (interval !== this.#shortestMs) return;
    this.#shortestMs = Number.POSITIVE_INFINITY;
    for (const ms of this.#intervals.values()) this.#shortestMs = Math.min(this.#shortestMs, ms);
  }

  /** The interval between the starts of two scans as it is now, in milliseconds. */
  get intervalMs(): number {
    return Math.max(this.#shortestMs, this.#affordableMs, this.#lastTookMs);
  }

  /** Notes a scan that began now. */
  started(): void {
    this.#lastStarted = performance.now();
  }

  /** Notes that the last scan ended now, and how long it kept a CPU busy, in milliseconds. */
  finished(busyMs: number): void {
    this.#lastBusyMs = busyMs;
    this.#lastTookMs = performance.now() - this.#lastStarted;
  }

  /** How long to wait for the next scan, in milliseconds; Infinity where nobody asks. */
  get delayMs(): number {
    return this.#until(this.intervalMs);
  }

  /** How long to wait for a scan that somebody waits for: as long as the CPU's share asks. */
  get hurryMs(): number {
    return this.#until(this.#affordableMs);
  }

  get #affordableMs(): number {
    return this.#lastBusyMs / this.#cpuShare;
  }

  #until(intervalMs: number): number {
    if (intervalMs === Number.POSITIVE_INFINITY) return intervalMs;
    return Math.max(0, this.#lastStarted + intervalMs - performance.now());
  }
}
