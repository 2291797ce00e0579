import type { Scheduler } from "./scheduler.ts";

/** When simulations begin: milliseconds since 1970. */
export const EPOCH = Date.UTC(2030, 0, 1);

/**
 * Has what reads the machine's time read the simulation's, and refuses timers of the machine: code
 * that takes either without its `Clock` would make a run that cannot be done again.
 */
export async function inVirtualTime<T>(
  scheduler: Scheduler,
  random: () => number,
  work: () => Promise<T>,
): Promise<T> {
  const restore = [
    replace(Date, "now", () => EPOCH + scheduler.now),
    replace(performance, "now", () => scheduler.now),
    replace(Math, "random", random),
    // Who lets others have a turn gets the next one.
    replace(globalThis, "setImmediate", (turn: () => void) => scheduler.after(0, turn)),
    ...(["setTimeout", "setInterval"] as const).map((timer) =>
      replace(globalThis, timer, () => {
        throw new Error(`${timer} was called in a simulation: take the time from a Clock`);
      }),
    ),
  ];
  try {
    return await work();
  } finally {
    for (const one of restore) one();
  }
}

function replace(owner: object, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(owner, name);
  Object.defineProperty(owner, name, { value, configurable: true, writable: true });
  return () => {
    if (before) Object.defineProperty(owner, name, before);
    else Reflect.deleteProperty(owner, name);
  };
}
