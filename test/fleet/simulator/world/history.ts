import type { Scheduler } from "./scheduler.ts";

/** Lines that a broken invariant shows. */
const SHOWN = Number(process.env.BPFMAPD_SIMULATE_LINES ?? 80);
const KEPT = 20_000;

/** Something that must hold does not. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** What has happened that a person wants to know after a violation. */
export class History {
  readonly #scheduler: Scheduler;
  #lines: { readonly about: readonly string[]; readonly text: string }[] = [];
  #violation: Violation | undefined;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** @param about names of machines and sets; none where it is about all */
  note(about: readonly string[], text: string): void {
    this.#scheduler.mix(text);
    const seconds = (this.#scheduler.now / 1000).toFixed(3).padStart(9);
    this.#lines.push({ about, text: `${seconds} ${about.join(" ")} ${text}` });
    if (this.#lines.length > 2 * KEPT) this.#lines = this.#lines.slice(-KEPT);
  }

  /** Ends the simulation, with what is known of these. */
  violate(about: readonly string[], what: string): void {
    if (this.#violation) return;
    const isTold = (line: { about: readonly string[] }) =>
      line.about.length === 0 || line.about.some((name) => about.includes(name));
    const told = this.#lines.filter(isTold).slice(-SHOWN);
    const at = (this.#scheduler.now / 1000).toFixed(3);
    const lines = told.map(({ text }) => text).join("\n");
    this.#violation = new Violation(`${what}, at ${at} s\n${lines}`);
    this.#scheduler.fail(this.#violation);
  }

  get violation(): Violation | undefined {
    return this.#violation;
  }
}
