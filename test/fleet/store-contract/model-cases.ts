import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ALL_KEYS,
  type KeyRange,
  type Operation,
  type OperationResult,
  put,
  type Store,
  type Transaction,
} from "#dist/fleet/store/index.js";
import {
  bytes,
  type FreshStore,
  firstEvents,
  follow,
  type StoreKind,
  text,
  told,
} from "./fixture.ts";
import { Model } from "./model.ts";

/** Numbers in steps are places in what there is: of revisions, of leases. */
type Step =
  | { readonly step: "transact"; readonly transaction: PlannedTransaction }
  | {
      readonly step: "range";
      readonly range: KeyRange;
      readonly at: number;
      readonly limit: number;
    }
  | { readonly step: "watch"; readonly range: KeyRange; readonly from: number }
  | { readonly step: "compact"; readonly at: number }
  | { readonly step: "grant" }
  | { readonly step: "revoke"; readonly lease: number }
  | { readonly step: "reopen" };

interface PlannedTransaction {
  readonly compare: readonly {
    key: string;
    target: "version" | "createRevision" | "modRevision" | "lease";
    is: "=" | "!=" | "<" | ">";
    than: number;
  }[];
  readonly success: readonly PlannedOperation[];
  readonly failure: readonly PlannedOperation[];
}

interface PlannedOperation {
  readonly do: "put" | "delete" | "get";
  readonly key: string;
  readonly value: string;
  readonly lease: number;
}

const RUNS = Number(process.env.BPFMAPD_STORE_MODEL_RUNS ?? 12);
const seed = process.env.BPFMAPD_MODEL_SEED;

const key = fc.constantFrom("a", "a/1", "a/2", "b");
const place = fc.nat(30);
const range: fc.Arbitrary<KeyRange> = fc.constantFrom(
  ALL_KEYS,
  { from: "a/", to: "a0" },
  { from: "a", to: "a\0" },
  { from: "a/2", to: "~" },
);
const operations = fc.uniqueArray(
  fc.record({
    do: fc.constantFrom("put" as const, "put" as const, "delete" as const, "get" as const),
    key,
    value: fc.string({ maxLength: 3 }),
    lease: fc.nat(5),
  }),
  { maxLength: 4, selector: (operation) => operation.key },
);
const transaction = fc.record({
  compare: fc.array(
    fc.record({
      key,
      target: fc.constantFrom("version", "createRevision", "modRevision", "lease"),
      is: fc.constantFrom("=", "!=", "<", ">"),
      than: place,
    }),
    { maxLength: 2 },
  ),
  success: operations,
  failure: operations,
}) as fc.Arbitrary<PlannedTransaction>;
const transact = fc.record({ step: fc.constant("transact" as const), transaction });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: transact },
    {
      weight: 3,
      arbitrary: fc.record({
        step: fc.constant("range" as const),
        range,
        at: place,
        limit: fc.integer({ min: 1, max: 5 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ step: fc.constant("watch" as const), range, from: place }),
    },
    { weight: 1, arbitrary: fc.record({ step: fc.constant("compact" as const), at: place }) },
    { weight: 1, arbitrary: fc.record({ step: fc.constant("grant" as const) }) },
    { weight: 1, arbitrary: fc.record({ step: fc.constant("revoke" as const), lease: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ step: fc.constant("reopen" as const) }) },
  ),
  { minLength: 5, maxLength: 40, size: "max" },
);

export function modelCases(kind: StoreKind): void {
  test(
    "agree with a model in every answer, every watch and every old revision",
    async () => {
      const property = fc.asyncProperty(steps, async (planned) => {
        const fresh = await kind.fresh();
        try {
          const run = await Run.begin(fresh);
          for (const step of planned) await run.take(step);
          await run.finish();
        } finally {
          await fresh.dispose();
        }
      });
      await fc.assert(property, {
        numRuns: RUNS,
        ...(seed !== undefined && { seed: Number(seed) }),
        // Shrinking makes each run many times over.
        interruptAfterTimeLimit: 50_000 + RUNS * 1000,
        markInterruptAsFailure: true,
      });
    },
    120_000 + RUNS * 1000,
  );
}

/** A store and its model, side by side. */
class Run {
  readonly #fresh: FreshStore;
  readonly #model: Model;
  /** The first revision of this run; what is before belongs to others. */
  readonly #first: bigint;
  readonly #leases: bigint[] = [];
  readonly #live: { stop: () => void; events: () => string[]; ended: Promise<unknown> };
  #store: Store;

  private constructor(fresh: FreshStore, store: Store, revision: bigint) {
    this.#fresh = fresh;
    this.#store = store;
    this.#model = new Model(revision);
    this.#first = revision + 1n;
    const stop = new AbortController();
    const watch = { range: ALL_KEYS, from: this.#first, signal: stop.signal };
    const { events, ended } = follow(store.watch(watch));
    this.#live = { stop: () => stop.abort(), events: () => events.map(told), ended };
  }

  static async begin(fresh: FreshStore): Promise<Run> {
    const store = await fresh.connect();
    const { revision } = await store.range({ range: ALL_KEYS });
    const run = new Run(fresh, store, revision);
    await run.take({ step: "transact", transaction: FIRST });
    return run;
  }

  async take(step: Step): Promise<void> {
    switch (step.step) {
      case "transact":
        return this.#transact(this.#planned(step.transaction));
      case "range":
        return this.#range(step.range, this.#revision(step.at), step.limit);
      case "watch":
        return this.#watch(step.range, this.#revision(step.from));
      case "compact":
        return this.#compact(this.#revision(step.at));
      case "grant":
        return this.#grant();
      case "revoke":
        return this.#revoke(this.#lease(step.lease));
      case "reopen":
        return this.#reopen();
    }
  }

  /** Compares the whole history that is left. */
  async finish(): Promise<void> {
    const from = this.#model.compactRevision + 1n;
    await this.#watch(ALL_KEYS, from > this.#first ? from : this.#first);
    for (let at = this.#first; at <= this.#model.revision; at++)
      await this.#range(ALL_KEYS, at, 100);
    this.#live.stop();
    await this.#live.ended;
    for (const lease of this.#model.leases) await this.#store.revokeLease(lease);
  }

  async #transact(transaction: Transaction): Promise<void> {
    const expected = this.#model.transact(transaction);
    const answer = this.#store.transact(transaction);
    if (expected === undefined) {
      return expect(answer).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
    }
    const { results, ...facts } = await answer;
    expect({ ...facts, results: results.map(readable) }).toEqual(expected);
  }

  async #range(range: KeyRange, revision: bigint, limit: number): Promise<void> {
    const { compactRevision, revision: current } = this.#model;
    const answer = this.#store.range({ range, revision, limit });
    if (revision > current) {
      return expect(answer).rejects.toMatchObject({ code: "FUTURE_REVISION" });
    }
    if (revision < compactRevision) {
      return expect(answer).rejects.toMatchObject({ code: "COMPACTED" });
    }
    const { entries, ...facts } = await answer;
    const all = [...this.#model.at(revision)]
      .filter(([key]) => range.from <= key && key < range.to)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => ({ key, ...entry }));
    expect(facts).toEqual({ revision: current, count: all.length, more: all.length > limit });
    const readEntries = entries.map((entry) => ({ ...entry, value: text(entry.value) }));
    expect(readEntries).toEqual(all.slice(0, limit));
  }

  async #watch(range: KeyRange, from: bigint): Promise<void> {
    const watch = this.#store.watch({ range, from });
    if (from <= this.#model.compactRevision) {
      return expect(firstEvents(watch, 1)).rejects.toMatchObject({ code: "COMPACTED" });
    }
    const expected = this.#model.since(range, from);
    expect((await firstEvents(watch, expected.length)).map(told)).toEqual(expected);
  }

  async #compact(revision: bigint): Promise<void> {
    await this.#liveCatchesUp();
    const { compactRevision, revision: current } = this.#model;
    const answer = this.#store.compact(revision);
    if (revision > current) {
      return expect(answer).rejects.toMatchObject({ code: "FUTURE_REVISION" });
    }
    if (revision <= compactRevision) {
      return expect(answer).rejects.toMatchObject({ code: "COMPACTED" });
    }
    expect(await answer).toEqual({ revision: current });
    this.#model.compactRevision = revision;
  }

  async #grant(): Promise<void> {
    const { id, revision } = await this.#store.grantLease(3600);
    expect(revision).toBe(this.#model.revision);
    this.#leases.push(id);
    this.#model.leases.add(id);
  }

  async #revoke(lease: bigint): Promise<void> {
    if (lease === 0n) return;
    const answer = this.#store.revokeLease(lease);
    if (!this.#model.leases.has(lease)) {
      return expect(answer).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
    }
    await answer;
    this.#model.revoke(lease);
  }

  async #reopen(): Promise<void> {
    if (this.#fresh.reopen === undefined) return;
    await this.#liveCatchesUp();
    this.#store = await this.#fresh.reopen();
    expect(await this.#live.ended).toMatchObject({ code: "CLOSED" });
  }

  /** The watch that was there from the beginning; a reopening ends it. */
  async #liveCatchesUp(): Promise<void> {
    const ended = await Promise.race([this.#live.ended, Promise.resolve("goes on")]);
    if (ended !== "goes on") return;
    const expected = this.#model.since(ALL_KEYS, this.#first);
    await expect.poll(this.#live.events, { timeout: 10_000, interval: 5 }).toEqual(expected);
  }

  /** One of the revisions there are, or the one after. */
  #revision(place: number): bigint {
    const count = this.#model.revision - this.#first + 2n;
    return this.#first + (BigInt(place) % count);
  }

  /** One of the leases there are or were, or none. */
  #lease(place: number): bigint {
    return this.#leases[place % (this.#leases.length + 1)] ?? 0n;
  }

  #planned({ compare, success, failure }: PlannedTransaction): Transaction {
    const operation = ({ do: what, key, value, lease }: PlannedOperation): Operation => {
      if (what !== "put") return { do: what, key };
      return put(key, bytes(value), this.#lease(lease) || undefined);
    };
    return {
      compare: compare.map(({ than, ...rest }) => ({
        ...rest,
        than: this.#number(rest.target, than),
      })),
      success: success.map(operation),
      failure: failure.map(operation),
    };
  }

  #number(target: string, place: number): bigint {
    if (target === "version") return BigInt(place % 4);
    if (target === "lease") return this.#lease(place);
    return place === 0 ? 0n : this.#revision(place);
  }
}

const FIRST: PlannedTransaction = {
  compare: [],
  success: [{ do: "put", key: "b", value: "first", lease: 0 }],
  failure: [],
};

function readable(result: OperationResult): unknown {
  if (result.do !== "get" || result.entry === undefined) return result;
  return { do: "get", entry: { ...result.entry, value: text(result.entry.value) } };
}
