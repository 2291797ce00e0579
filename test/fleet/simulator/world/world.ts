import { History } from "./history.ts";
import { Network } from "./network.ts";
import { Random } from "./random.ts";
import { Scheduler } from "./scheduler.ts";

/** What all parts of a simulation share. */
export class World {
  readonly seed: string;
  readonly scheduler = new Scheduler();
  readonly network = new Network(this.scheduler);
  readonly history = new History(this.scheduler);
  /** For what befalls the fleet; machines have random numbers of their own. */
  readonly random: Random;

  constructor(seed: string) {
    this.seed = seed;
    this.random = new Random(seed);
  }

  get now(): number {
    return this.scheduler.now;
  }
}
