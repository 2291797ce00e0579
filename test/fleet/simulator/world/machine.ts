import type { Clock } from "#dist/fleet/index.js";
import type { Connection } from "./connection.ts";
import { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import { EPOCH } from "./virtual-time.ts";

/** A computer: it can be off, and its clock is its own. */
export class Machine {
  readonly name: string;
  isUp = true;
  /** How much slower than others it does things, 1 for not at all. */
  slowness = 1;
  process: Process | undefined;
  /** Its clock is so much ahead, and goes so much faster. */
  readonly skewMs: number;
  readonly rate: number;
  readonly random: Random;
  starts = 0;

  constructor(name: string, seed: string) {
    this.name = name;
    this.random = new Random(`${seed}/${name}`);
    this.skewMs = this.random.between(-600_000, 600_000);
    this.rate = this.random.between(0.99, 1.01);
  }
}

/** A process on a machine. When it is killed, whatever it waits for never comes. */
export class Process {
  readonly machine: Machine;
  readonly clock: Clock;
  readonly connections = new Set<Connection>();
  readonly onDeath: (() => void)[] = [];
  isAlive = true;
  readonly #scheduler: Scheduler;

  constructor(machine: Machine, scheduler: Scheduler) {
    this.machine = machine;
    this.#scheduler = scheduler;
    machine.process = this;
    machine.starts++;
    this.clock = {
      now: () => scheduler.now * machine.rate + machine.skewMs + 1e6,
      sleep: (ms, signal) => this.#sleep(ms / machine.rate, signal),
      random: () => machine.random.next(),
    };
  }

  get name(): string {
    return this.machine.name;
  }

  /** Milliseconds since 1970, by the machine's clock. */
  wallClock(): number {
    return Math.round(EPOCH + this.#scheduler.now * this.machine.rate + this.machine.skewMs);
  }

  /** Takes time that the machine needs for something. */
  async work(ms: number): Promise<void> {
    await this.#sleep(ms * this.machine.slowness, undefined);
  }

  /** Whatever the process waits for here, a dead one never gets. */
  async living<T>(promise: Promise<T>): Promise<T> {
    const value = await promise.catch(async (error) => {
      if (!this.isAlive) await never();
      throw error;
    });
    if (!this.isAlive) await never();
    return value;
  }

  #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (!this.isAlive) return never();
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const wake = this.#scheduler.after(Math.max(0, ms), () => {
        signal?.removeEventListener("abort", abort);
        if (this.isAlive) resolve();
      });
      const abort = () => {
        wake.cancel();
        if (this.isAlive) reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
    });
  }
}

export function never<T>(): Promise<T> {
  return new Promise(() => {});
}
