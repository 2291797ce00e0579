/** How long work may keep the event loop, in milliseconds. */
const STRETCH_MS = 2;

/** Lets others have the event loop now and then during long work. */
export class Breath {
  #begun = performance.now();

  /** Call it often; it waits only where it is time. */
  async take(): Promise<void> {
    if (performance.now() - this.#begun < STRETCH_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#begun = performance.now();
  }
}
