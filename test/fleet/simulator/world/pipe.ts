import type { Machine } from "./machine.ts";
import type { Network } from "./network.ts";

/** What may be on its way before a sender has to wait. */
const WINDOW = 32;

/** One direction of a connection: everything comes, in order, or the connection breaks. */
export class Pipe {
  readonly #network: Network;
  readonly #from: Machine;
  readonly #to: Machine;
  readonly #onHeld: () => void;
  #held: (() => void)[] = [];
  #senders: (() => void)[] = [];
  #underWay = 0;
  #lastAt = 0;
  #isBroken = false;

  /** @param onHeld called when something cannot be delivered for now */
  constructor(network: Network, from: Machine, to: Machine, onHeld: () => void) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
    this.#onHeld = onHeld;
  }

  /** Whether something waits that the network does not let through. */
  get isHeld(): boolean {
    return this.#held.length > 0;
  }

  /** Settles when there is room for more. */
  send(deliver: () => void): Promise<void> {
    const { scheduler } = this.#network;
    if (this.#isBroken) return Promise.resolve();
    this.#underWay++;
    this.#lastAt = Math.max(
      this.#lastAt,
      scheduler.now + this.#network.latency(this.#from, this.#to),
    );
    scheduler.at(this.#lastAt, () => this.#arrive(deliver));
    if (this.#underWay < WINDOW) return Promise.resolve();
    return new Promise((resolve) => this.#senders.push(resolve));
  }

  /** Delivers what was held, now that it can be. */
  flush(): void {
    if (this.#network.isBlocked(this.#from, this.#to)) return;
    this.#network.holding.delete(this);
    const held = this.#held;
    this.#held = [];
    for (const deliver of held) {
      this.#underWay--;
      void this.send(deliver);
    }
    this.#wake();
  }

  /** Nothing comes any more. */
  break(): void {
    this.#isBroken = true;
    this.#held = [];
    this.#network.holding.delete(this);
    for (const wake of this.#senders.splice(0)) wake();
  }

  #arrive(deliver: () => void): void {
    if (this.#isBroken) return;
    if (this.#held.length > 0 || this.#network.isBlocked(this.#from, this.#to)) {
      this.#held.push(deliver);
      this.#network.holding.add(this);
      this.#onHeld();
      return;
    }
    this.#underWay--;
    deliver();
    this.#wake();
  }

  #wake(): void {
    if (this.#underWay < WINDOW) for (const wake of this.#senders.splice(0)) wake();
  }
}
