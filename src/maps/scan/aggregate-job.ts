import { type GreatestKeys, KeyRanking } from "../aggregate/key-ranking.js";
import { NumberFold, type NumberTotals } from "../aggregate/number-fold.js";
import { newWords, type WideReader, wideReader } from "../aggregate/wide-number.js";
import type { JobContext } from "../threads/job-context.js";
import type { ElementShapes, Field } from "../typing/field-path.js";
import type { FieldFold } from "../typing/field-reader.js";
import { compileFilter, type ElementFilter } from "./element-filter.js";
import { type ElementSource, MAX_RESTARTS, openSource } from "./element-source.js";
import type { ScanTarget } from "./scan-target.js";
import { stretchFor } from "./stretch.js";

/** A number of each element, and what to tell of it. Plain data. */
export interface FoldedField {
  readonly field: Field;
  readonly fold: FieldFold;
  readonly histogram: boolean;
}

/** What to fold. Plain data. */
export interface AggregateArgs {
  readonly target: ScanTarget;
  readonly filter?: ElementFilter | undefined;
  /** What elements are made of; needed for conditions on fields. */
  readonly shapes?: ElementShapes | undefined;
  readonly fields: readonly FoldedField[];
  /** Tell the keys with the greatest numbers of a field. */
  readonly top?: { readonly field: number; readonly limit: number } | undefined;
  readonly dedupMemoryBytes: number;
}

/** What the elements come to. */
export interface AggregateResult {
  readonly elements: number;
  readonly complete: boolean;
  /** In the order of the fields. */
  readonly totals: readonly NumberTotals[];
  readonly top: GreatestKeys | undefined;
}

/** Folds numbers of the chosen elements of a map. */
export async function aggregateJob(
  args: AggregateArgs,
  context: JobContext,
): Promise<AggregateResult> {
  const { target, filter, shapes, dedupMemoryBytes } = args;
  const isChosen = compileFilter(filter, target.layout, target.keyKind, shapes);
  const fold = new ElementFold(args);
  const stretch = stretchFor(target.layout);
  const source = openSource(target, { stretch, dedupMemoryBytes, maxRestarts: MAX_RESTARTS });
  try {
    while (source.next()) {
      fold.add(source, isChosen);
      await context.turn();
    }
    return { ...fold.result(), complete: source.stats.incomplete === undefined };
  } finally {
    source.release();
  }
}

/** Folds stretches of elements. */
class ElementFold {
  readonly #args: AggregateArgs;
  readonly #fields: readonly { readonly read: WideReader; readonly fold: NumberFold }[];
  readonly #ranking: KeyRanking | undefined;
  readonly #number = newWords();
  #elements = 0;

  constructor(args: AggregateArgs) {
    const { layout } = args.target;
    this.#args = args;
    this.#fields = args.fields.map(({ field, fold, histogram }, index) => ({
      read: wideReader(field, layout, fold, `fields[${index}]`),
      fold: new NumberFold(histogram),
    }));
    this.#ranking = args.top && new KeyRanking(layout.keySize, args.top.limit);
  }

  add({ count, keys, values }: ElementSource, isChosen: ReturnType<typeof compileFilter>): void {
    const { keySize, valueStride } = this.#args.target.layout;
    for (let index = 0; index < count; index++) {
      const keyAt = index * keySize;
      const valueAt = index * valueStride;
      if (isChosen && !isChosen(keys, keyAt, values, valueAt)) continue;
      this.#elements++;
      this.#addElement(keys, keyAt, values, valueAt);
    }
  }

  #addElement(keys: Buffer, keyAt: number, values: Buffer, valueAt: number): void {
    const number = this.#number;
    for (let index = 0; index < this.#fields.length; index++) {
      const { read, fold } = this.#fields[index]!;
      read(keys, keyAt, values, valueAt, number);
      fold.add(number);
      if (this.#args.top?.field === index) this.#ranking?.offer(number, keys, keyAt);
    }
  }

  result(): Omit<AggregateResult, "complete"> {
    return {
      elements: this.#elements,
      totals: this.#fields.map(({ fold }) => fold.totals()),
      top: this.#ranking?.greatest(),
    };
  }
}
