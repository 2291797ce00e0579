import type { Call, Fact, GroundTruth, Held } from "./ground-truth.js";

/** One change that was told. */
interface Told {
  readonly shown: Held;
  /** Undefined for what a snapshot, a scan or a look told. */
  readonly call: Call | undefined;
}

/** What a stream shows of a map. */
interface Sight {
  readonly chooses: (key: string) => boolean;
  readonly view: (value: string) => string;
  /** Whether the view is of a part of the value: what does not change it is not told. */
  readonly isPartial: boolean;
}

/**
 * The changes that a stream of EVERY_CALL has told, key by key: between two bookmarks it
 * must have told all calls that were made, in their order, and no others.
 */
export class CallOrder {
  readonly #told = new Map<string, Told[]>();

  /** Notes what was told of a key, and by which call, where it was a call. */
  tell(key: string, shown: Held, call?: Call): void {
    const told = this.#told.get(key) ?? [];
    this.#told.set(key, told);
    told.push({ shown, call });
  }

  /**
   * Compares with what was done: calls that began after the scan where the stream began,
   * and ended before another time, must have been told, those around may, and none that
   * ended before that scan. Answers what is wrong, one line a key.
   */
  check(
    truth: GroundTruth,
    [started, finished]: readonly [number, number],
    before: number,
    sight: Sight,
  ): string[] {
    const wrong: string[] = [];
    for (const key of new Set([...truth.keys(), ...this.#told.keys()])) {
      if (!sight.chooses(key)) continue;
      const facts = truth.facts(key).filter(({ to }) => to >= started);
      const matching = new Matching(truth, facts, [finished, before], sight);
      const failure = matching.fail(this.#told.get(key) ?? []);
      if (failure) wrong.push(`calls on ${key}: ${failure}, between ${finished} and ${before}`);
    }
    return wrong;
  }
}

/**
 * Lays what was told of a key along what was done to it. The same value can be written
 * twice, so all ways to do it are kept: `reached` are the numbers of facts that may lie
 * behind.
 */
class Matching {
  readonly #truth: GroundTruth;
  readonly #facts: readonly Fact[];
  readonly #window: readonly [after: number, before: number];
  readonly #sight: Sight;
  #reached: ReadonlySet<number> = new Set([0]);
  /** What was told last. */
  #last: Told | undefined;

  constructor(
    truth: GroundTruth,
    facts: readonly Fact[],
    window: readonly [after: number, before: number],
    sight: Sight,
  ) {
    this.#truth = truth;
    this.#facts = facts;
    this.#window = window;
    this.#sight = sight;
  }

  /** What is wrong with what was told; undefined where nothing is. */
  fail(told: readonly Told[]): string | undefined {
    for (const [number, one] of told.entries()) {
      if (one.call !== undefined) {
        const reached = this.#reachedBy(one);
        if (reached.size === 0) return this.#tellStray(told, number);
        this.#reached = reached;
      }
      this.#last = one;
      if (this.#sight.isPartial) this.#passUnseen();
    }
    const missed = Array.from(this.#reached, (start) =>
      this.#facts.find((fact, at) => at >= start && this.#isDue(fact)),
    );
    if (missed.includes(undefined)) return undefined;
    const [first] = missed;
    return `${first && tellFact(first)} is not told`;
  }

  #reachedBy(told: Told): Set<number> {
    const next = new Set(this.#isEviction(told) ? this.#reached : []);
    for (const start of this.#reached) {
      for (let at = start; at < this.#facts.length; at++) {
        const fact = this.#facts[at]!;
        if (this.#isSame(fact, told)) next.add(at + 1);
        if (this.#isDue(fact)) break;
      }
    }
    return next;
  }

  /**
   * What left the view as it was told last need not be told any more, whatever comes next: also
   * a call whose effect a look has told before the trace did.
   */
  #passUnseen(): void {
    const next = new Set(this.#reached);
    for (const start of this.#reached) {
      for (let at = start; at < this.#facts.length; at++) {
        const fact = this.#facts[at]!;
        if (this.#isDue(fact)) break;
        if (this.#isUnseen(fact)) next.add(at + 1);
      }
    }
    this.#reached = next;
  }

  /** The kernel's own evictions are told as deletes, but not of what a call has deleted. */
  #isEviction({ shown }: Told): boolean {
    if (!this.#truth.evicts || shown !== undefined) return false;
    // Of per-CPU values not every put is told.
    const isGone = this.#last?.call !== undefined && this.#last.shown === undefined;
    return this.#truth.isPerCpu || !isGone;
  }

  /** Whether a call must be told next, if none before it is. */
  #isDue(fact: Fact): boolean {
    const { call, certain, from, to } = fact;
    const [after, before] = this.#window;
    if (call === undefined || !certain || from <= after || to >= before) return false;
    return !this.#isUnseen(fact);
  }

  /** Whether a put does not show in the view, where that is of a part of the value. */
  #isUnseen({ held }: Fact): boolean {
    return this.#sight.isPartial && !!held && this.#sight.view(held) === this.#last?.shown;
  }

  #isSame(fact: Fact, { shown, call }: Told): boolean {
    if (fact.call !== undefined && fact.call !== call) return false;
    return (fact.held === undefined ? undefined : this.#sight.view(fact.held)) === shown;
  }

  #tellStray(told: readonly Told[], number: number): string {
    const { call, shown } = told[number]!;
    const before = told.slice(Math.max(0, number - 4), number).map(tellTold);
    const after = told.slice(number + 1, number + 6).map(tellTold);
    const from = Math.max(0, Math.min(...this.#reached) - 2);
    const done = this.#facts.slice(from, from + 10).map(tellFact);
    const what = `call ${number} of ${told.length} told, ${call} ${shown ?? "delete"}`;
    return `${what}, is none that comes next (after ${before.join(", ")}, before ${after.join(", ")}; fact ${from} on: ${done.join(", ")})`;
  }
}

function tellTold({ shown, call }: Told): string {
  return `${call ?? "seen"} ${shown ?? "delete"}`;
}

function tellFact({ call, held, from, to }: Fact): string {
  return `${call ?? "unknown"} ${held ?? "delete"} at ${from} to ${to}`;
}
