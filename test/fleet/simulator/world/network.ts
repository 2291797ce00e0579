import { Connection } from "./connection.ts";
import type { Machine, Process } from "./machine.ts";
import type { Pipe } from "./pipe.ts";
import type { Scheduler } from "./scheduler.ts";

/** How long it takes to give up a connection that is not answered, in milliseconds. */
const CONNECT_MS = 10_000;

/** What lies between machines: it is slow, drops what it should not, and comes back. */
export class Network {
  readonly scheduler: Scheduler;
  /** Machines that reach nobody. */
  readonly #isolated = new Set<Machine>();
  /** "from>to" of ways that are cut. */
  readonly #cut = new Set<string>();
  /** Pipes that hold what could not be delivered. */
  readonly holding = new Set<Pipe>();

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  isolate(machine: Machine): void {
    this.#isolated.add(machine);
  }

  /** What one sends the other does not get. The way back is another. */
  cut(from: Machine, to: Machine): void {
    this.#cut.add(`${from.name}>${to.name}`);
  }

  heal(): void;
  heal(machine: Machine): void;
  heal(from: Machine, to: Machine): void;
  heal(from?: Machine, to?: Machine): void {
    if (from === undefined) {
      this.#isolated.clear();
      this.#cut.clear();
    } else if (to === undefined) this.#isolated.delete(from);
    else this.#cut.delete(`${from.name}>${to.name}`);
    for (const pipe of [...this.holding]) pipe.flush();
  }

  isBlocked(from: Machine, to: Machine): boolean {
    if (this.#isolated.size > 0 && (this.#isolated.has(from) || this.#isolated.has(to))) {
      return true;
    }
    return this.#cut.size > 0 && this.#cut.has(`${from.name}>${to.name}`);
  }

  /** Milliseconds that something is on its way. */
  latency(from: Machine, to: Machine): number {
    const slow = Math.max(from.slowness, to.slowness);
    const { random } = from;
    return slow * (random.chance(0.02) ? random.between(5, 50) : random.between(0.2, 2));
  }

  /** Sends something that comes by itself, or not at all. */
  post(from: Process, to: Machine, deliver: () => void): void {
    const { machine } = from;
    if (!from.isAlive || this.isBlocked(machine, to)) return;
    this.scheduler.after(this.latency(machine, to), () => {
      if (to.isUp && !this.isBlocked(machine, to)) deliver();
    });
  }

  /** Sends something back to a process that has asked. */
  answer(from: Process, to: Process, deliver: () => void): void {
    this.post(from, to.machine, () => {
      if (to.isAlive) deliver();
    });
  }

  /** Opens a connection to whatever process a machine has. */
  dial(from: Process, to: Machine, keepaliveMs: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const settle = (then: () => void) => {
        if (isOver || !from.isAlive) return;
        isOver = true;
        late.cancel();
        then();
      };
      const late = this.scheduler.after(CONNECT_MS, () =>
        settle(() => reject(new Error(`${to.name} does not answer`))),
      );
      this.post(from, to, () => {
        const { process } = to;
        if (process?.isAlive) {
          const open = () =>
            settle(() => resolve(new Connection(this, from, process, keepaliveMs)));
          this.answer(process, from, open);
        } else {
          // The machine says that nobody listens there.
          this.scheduler.after(this.latency(to, from.machine), () => {
            if (this.isBlocked(to, from.machine)) return;
            settle(() => reject(new Error(`${to.name} refuses the connection`)));
          });
        }
      });
    });
  }

  /** A process dies: its machine tells whoever it is connected to. */
  kill(process: Process): void {
    if (!process.isAlive) return;
    process.isAlive = false;
    for (const connection of [...process.connections]) connection.died(process);
    process.connections.clear();
    for (const tell of process.onDeath.splice(0)) tell();
  }

  /** A machine loses its power: nobody is told. */
  powerOff(machine: Machine): void {
    machine.isUp = false;
    const { process } = machine;
    if (!process?.isAlive) return;
    process.isAlive = false;
    process.connections.clear();
    for (const tell of process.onDeath.splice(0)) tell();
  }
}
