import { Faults } from "./faults.ts";
import { Fleet, type FleetSize } from "./fleet.ts";
import { Invariants } from "./invariants.ts";
import { Violation } from "./world/history.ts";
import { inVirtualTime } from "./world/virtual-time.ts";

/** What a simulation is like. */
export interface Simulation extends FleetSize {
  readonly seed: number;
  /** Times that everything goes wrong and is mended again. */
  readonly storms: number;
  readonly stormSeconds: number;
}

/** What came of a simulation. */
export interface Outcome {
  /** The same for the same simulation of the same code. */
  readonly trace: string;
  readonly events: number;
  readonly generations: number;
  readonly acknowledged: number;
}

const CHECK_MS = 1_000;
const BEGIN_MS = 30_000;
const CALM_MS = 180_000;
/** How long some hosts are away in a calm: longer than any may be listed that is gone. */
const AWAY_MS = 60_000;
/** Before the end of a calm nobody writes any more. */
const QUIET_MS = 60_000;

/** Runs a fleet through storms and calms. Throws a Violation where it does not keep its promises. */
export async function simulate(simulation: Simulation): Promise<Outcome> {
  const fleet = new Fleet(`seed ${simulation.seed}`, simulation);
  const { scheduler, random, history } = fleet.world;
  // Of listeners that pile up, among others.
  const onWarning = (warning: Error) => history.violate([], `the runtime warns: ${warning.stack}`);
  process.on("warning", onWarning);
  try {
    return await inVirtualTime(
      scheduler,
      () => random.next(),
      () => run(fleet, simulation),
    );
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    const { seed, hosts, relays } = simulation;
    const what = `seed ${seed}, ${hosts} hosts, ${relays} relays: ${error.message}`;
    throw new Violation(what);
  } finally {
    process.off("warning", onWarning);
  }
}

async function run(fleet: Fleet, { storms, stormSeconds }: Simulation): Promise<Outcome> {
  const { scheduler, history } = fleet.world;
  const invariants = new Invariants(fleet);
  const faults = new Faults(fleet);
  const goOn = async (ms: number) => {
    for (const end = scheduler.now + ms; scheduler.now < end; ) {
      await scheduler.run(Math.min(end, scheduler.now + CHECK_MS));
      invariants.check();
      if (history.violation) throw history.violation;
    }
  };
  fleet.start();
  await goOn(BEGIN_MS);
  for (let storm = 0; storm < storms; storm++) {
    faults.begin();
    await goOn(stormSeconds * 1000);
    faults.heal();
    await goOn(CALM_MS - QUIET_MS - AWAY_MS);
    faults.leave(Math.ceil(fleet.hosts.length / 5), AWAY_MS);
    await goOn(AWAY_MS);
    for (const controller of fleet.controllers) controller.isBusy = false;
    await goOn(QUIET_MS);
    invariants.checkCalm();
    if (history.violation) throw history.violation;
    for (const controller of fleet.controllers) controller.isBusy = true;
  }
  const sets = [...fleet.truth.sets.values()];
  return {
    trace: scheduler.trace,
    events: scheduler.events,
    generations: sets.reduce((sum, { generations }) => sum + generations.length, 0),
    acknowledged: fleet.controllers.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
  };
}
