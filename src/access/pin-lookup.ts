import { indexPins, type MapHost } from "../maps/index.js";

type Pins = ReadonlyMap<number, readonly string[]>;

/** How long what a walk found is good enough to allow by, in milliseconds. */
const FRESH_MS = 1000;

/**
 * Where maps are pinned, by walks over bpffs that calls share. What was found a moment
 * ago may allow, so that a pin counts for up to a second after it is removed; only a walk
 * that began after the question denies.
 */
export class PinLookup {
  readonly #host: MapHost;
  #last: { readonly pins: Pins; readonly atMs: number } | undefined;
  #running: Promise<Pins> | undefined;
  #next: Promise<Pins> | undefined;

  constructor(host: MapHost) {
    this.#host = host;
  }

  /** The pins of a map as they were found lately; undefined where nobody looked. */
  recent(mapId: number): readonly string[] | undefined {
    const last = this.#last;
    if (last === undefined || performance.now() - last.atMs > FRESH_MS) return undefined;
    return last.pins.get(mapId) ?? [];
  }

  /** The pins of a map as of now. */
  async current(mapId: number): Promise<readonly string[]> {
    return (await this.#walk()).get(mapId) ?? [];
  }

  /** A walk that runs already may have passed the place: those who ask meanwhile share the next. */
  #walk(): Promise<Pins> {
    if (this.#running === undefined) return this.#start();
    const start = () => {
      this.#next = undefined;
      return this.#start();
    };
    this.#next ??= this.#running.then(start, start);
    return this.#next;
  }

  #start(): Promise<Pins> {
    const atMs = performance.now();
    const walk = indexPins(this.#host.pins).then((pins) => {
      this.#last = { pins, atMs };
      return pins;
    });
    this.#running = walk;
    const done = () => {
      if (this.#running === walk) this.#running = undefined;
    };
    walk.then(done, done);
    return walk;
  }
}
