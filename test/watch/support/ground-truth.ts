/** Who wrote an element, and how. */
export interface Write {
  /** What the service writes it tells at once, without a comparison. */
  readonly by: "service" | "other";
  /**
   * The call that did it, where a trace sees it as one of its own: all but writes in place,
   * those by lookup-and-delete, and what a whole-map call of the service may have done.
   */
  readonly call?: Call | undefined;
  /** False where it may not have taken effect, as a call that was cut. */
  readonly certain?: boolean;
}

/** How a single update or delete was called. */
export type Call = "syscall" | "program";

/** A value's hex, or undefined where the element is not there. */
export type Held = string | undefined;

/** One write, or one look, at one element: it took effect at some instant of its window. */
export interface Fact {
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  readonly held: Held;
  readonly by: Write["by"];
  readonly call: Call | undefined;
  /** Whether it surely took effect: a call that was cut may not have. */
  readonly certain: boolean;
}

/** A stretch of time in which nothing changed, with what the map held all the while. */
interface Calm {
  readonly from: number;
  to: number;
  readonly contents: ReadonlyMap<string, string>;
}

export interface TruthOptions {
  /** What every key held before the first write: a value for arrays, otherwise nothing. */
  readonly initial?: Held;
  /** Whether the kernel may take elements out by itself, as LRU maps do. */
  readonly evicts?: boolean;
  /** Whether calls of anybody may be traced: they are then told at once, as the service's are. */
  readonly isTraced?: boolean;
  /** Hex digits of one CPU's slot where values are per CPU: a reader can see a mixture. */
  readonly slotDigits?: number;
  /**
   * Whether a trie's key covers another. A batch read of a trie finds a key and then looks
   * it up (generic_map_lookup_batch, kernel/bpf/syscall.c), so where it is deleted between
   * the two it comes with the value of a prefix that covers it.
   */
  readonly covers?: (cover: string, key: string) => boolean;
}

/** What a test did to one map, and when; answers what could be seen in it at a time. */
export class GroundTruth {
  /** When the map began to go; undefined while it is there. */
  goneFrom: number | undefined;
  readonly #options: TruthOptions;
  readonly #facts = new Map<string, Fact[]>();
  /** All facts, in the order in which they ended. */
  readonly #log: { readonly key: string; readonly from: number; readonly to: number }[] = [];
  readonly #calms: Calm[] = [];

  constructor(options: TruthOptions = {}) {
    this.#options = options;
  }

  /** Every key that was ever written. */
  keys(): Iterable<string> {
    return this.#facts.keys();
  }

  /**
   * Notes that an element was written, or deleted, at some instant from `from` to now. What
   * is done to one element is done, and noted, one after the other.
   */
  note(key: string, held: Held, from: number, { by, call, certain = true }: Write): void {
    const facts = this.#facts.get(key) ?? [];
    this.#facts.set(key, facts);
    const to = Date.now() + 1;
    facts.push({ from, to, held, by, call, certain });
    this.#log.push({ key, from, to });
  }

  /** The keys that something was done to, or seen of, in a window. */
  keysTouchedIn([from, to]: readonly [number, number]): Set<string> {
    const keys = new Set<string>();
    for (let index = countBegun(this.#log, to) - 1; index >= 0; index--) {
      const fact = this.#log[index]!;
      if (fact.to < from) break;
      keys.add(fact.key);
    }
    return keys;
  }

  /** What was done to an element, and what was seen of it, oldest first. */
  facts(key: string): readonly Fact[] {
    return this.#facts.get(key) ?? [];
  }

  get isPerCpu(): boolean {
    return this.#options.slotDigits !== undefined;
  }

  /** Whether the kernel may take elements out by itself, as LRU maps do. */
  get evicts(): boolean {
    return this.#options.evicts === true;
  }

  /** Notes what somebody else read from the map while nobody wrote to it. */
  startCalm(from: number, contents: ReadonlyMap<string, string>): void {
    this.#calms.push({ from, to: Number.POSITIVE_INFINITY, contents });
    for (const key of new Set([...this.#facts.keys(), ...contents.keys()])) {
      this.note(key, contents.get(key), from, { by: "other" });
    }
  }

  /** Notes that somebody may write from now on. */
  endCalm(): void {
    const calm = this.#calms.at(-1);
    if (calm) calm.to = Math.min(calm.to, Date.now());
  }

  /** Whether an element could be seen to hold something in a window, through a view. */
  couldShow(
    key: string,
    shown: Held,
    [from, to]: readonly [number, number],
    view: (value: string) => string,
  ): boolean {
    if (shown === undefined && this.#mayVanish(key, from, to)) return true;
    const candidates = this.#heldIn(key, from, to);
    if (shown === undefined) return candidates.includes(undefined);
    const values = candidates.filter((held) => held !== undefined);
    if (candidates.includes(undefined)) values.push(...this.#coversHeldIn(key, from, to));
    const isShown = (value: string) => view(value) === shown;
    // Mixtures are many, and seldom.
    return values.some(isShown) || this.#mixtures(values).some(isShown);
  }

  /** What an element may have held in a window, for messages. */
  tell(key: string, [from, to]: readonly [number, number]): string {
    const held = this.#heldIn(key, from, to).map((one) => one ?? "nothing");
    return [...new Set(held)].join(" or ");
  }

  /**
   * Whether an element may have been told without a comparison with what was told before,
   * because it was written in a window by somebody whose writes are told at once.
   */
  isToldAtOnce(key: string, from: number, to: number): boolean {
    const facts = this.#facts.get(key) ?? [];
    for (let index = countBegun(facts, to) - 1; index >= 0; index--) {
      const fact = facts[index]!;
      if (fact.to < from) return false;
      if (fact.by === "service" || this.#options.isTraced) return true;
    }
    return false;
  }

  #mayVanish(key: string, from: number, to: number): boolean {
    if (!this.evicts) return false;
    const isKept = ({ from: start, to: end, contents }: Calm) =>
      start <= from && to <= end && contents.has(key);
    return !this.#calms.some(isKept);
  }

  #heldIn(key: string, from: number, to: number): Held[] {
    const facts = this.#facts.get(key) ?? [];
    const held: Held[] = [];
    for (let index = countBegun(facts, to) - 1; index >= 0; index--) {
      const fact = facts[index]!;
      held.push(fact.held);
      // What was before had ended by then.
      if (fact.certain && fact.to <= from) return held;
    }
    held.push(this.#options.initial);
    return held;
  }

  #coversHeldIn(key: string, from: number, to: number): string[] {
    const { covers } = this.#options;
    if (!covers) return [];
    return Array.from(this.#facts.keys())
      .filter((other) => other !== key && covers(other, key))
      .flatMap((other) => this.#heldIn(other, from, to))
      .filter((held) => held !== undefined);
  }

  /** Values as a reader can see them that is beside a writer: slots are written one by one. */
  #mixtures(values: readonly string[]): readonly string[] {
    const { slotDigits } = this.#options;
    const distinct = [...new Set(values)];
    const [first] = distinct;
    if (!slotDigits || !first || distinct.length < 2) return [];
    let mixtures = [""];
    for (let at = 0; at < first.length; at += slotDigits) {
      const slots = new Set(distinct.map((value) => value.slice(at, at + slotDigits)));
      mixtures = mixtures.flatMap((start) => Array.from(slots, (slot) => start + slot));
    }
    return mixtures;
  }
}

/** How many facts, which are in their order, had begun at a time. */
function countBegun(facts: readonly { readonly from: number }[], at: number): number {
  let [low, high] = [0, facts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (facts[middle]!.from <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}
