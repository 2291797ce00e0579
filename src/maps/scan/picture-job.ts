import { ElementWriter } from "../element-writer.js";
import { MapError } from "../map-error.js";
import { isFixed } from "../map-layout.js";
import type { JobContext } from "../threads/job-context.js";
import { ElementRemover } from "./element-remover.js";
import { type ElementSource, MAX_RESTARTS, openSource } from "./element-source.js";
import { checkedInputs, type LoadArgs, type LoadResult, wholeValues } from "./load-input.js";
import { Known, MapPicture } from "./map-picture.js";
import { explainFor } from "./scan-target.js";
import { stretchFor } from "./stretch.js";

/**
 * A load that has to know the map's elements: REPLACE, and every dry run.
 *
 * It takes a picture of the map, marks in it what the stream wants and writes what
 * differs as it comes. REPLACE then looks at the map again and settles what is left:
 * removes what nobody wants, and writes what is missing or was changed by others, such
 * as additions that a full map had no room for.
 */
export async function pictureJob(args: LoadArgs, context: JobContext): Promise<LoadResult> {
  const load = new PictureLoad(args, context);
  try {
    await load.takePicture();
    await load.takeStream();
    load.checkRoom();
    if (!args.dryRun) await load.settle();
    return load.result();
  } finally {
    load.release();
  }
}

class PictureLoad {
  readonly #args: LoadArgs;
  readonly #context: JobContext;
  readonly #picture: MapPicture;
  readonly #writer: ElementWriter;
  #received = 0;
  #written = 0;
  #removed = 0;

  constructor(args: LoadArgs, context: JobContext) {
    const { fd, layout, keyKind, updateBatch } = args.target;
    this.#args = args;
    this.#context = context;
    this.#picture = new MapPicture(layout, keyKind);
    this.#writer = new ElementWriter(
      fd,
      layout,
      { updateBatch, singleCpuByKernel: false },
      { mode: "any", lock: false },
    );
  }

  release(): void {
    this.#writer.release();
  }

  async takePicture(): Promise<void> {
    const { keySize, valueStride } = this.#args.target.layout;
    await this.#walk((source) => {
      for (let index = 0; index < source.count; index++) {
        const number = this.#picture.add(source.keys, index * keySize);
        this.#picture.setValue(number, source.values, index * valueStride);
        this.#picture.learn(number, Known.ORIGINAL);
      }
      this.#checkMemory();
    });
  }

  async takeStream(): Promise<void> {
    const { keySize, valueStride } = this.#args.target.layout;
    for await (const columns of checkedInputs(this.#args, this.#context)) {
      const keys = Buffer.from(columns.keys.buffer, columns.keys.byteOffset, columns.keys.length);
      const values = wholeValues(this.#args, columns);
      const different: number[] = [];
      for (let index = 0; index < columns.count; index++) {
        const number = this.#want(keys, index * keySize, values, index * valueStride);
        if (number !== undefined) different.push(number);
      }
      this.#received += columns.count;
      this.#checkMemory();
      if (!this.#args.dryRun) await this.#write(different);
      await this.#context.turn();
    }
  }

  /**
   * Refuses what the map has no room for, before anything is removed. A map that evicts
   * takes any MERGE, but has no way to keep all of a REPLACE that is larger than it.
   */
  checkRoom(): void {
    const { target, strategy, evicts, dryRun } = this.#args;
    const { label, layout } = target;
    const isReplace = strategy === "replace";
    if (evicts && !isReplace) return;
    const wanted = isReplace ? this.#picture.count(Known.WANTED, 0) : this.#picture.size;
    if (wanted <= layout.maxEntries) return;
    const what = isReplace ? "the stream has" : "with the stream's the map would have";
    throw new MapError(
      "MAP_FULL",
      `${label}: ${what} ${wanted} elements, there is room for ${layout.maxEntries}; nothing was ${dryRun ? "written" : "removed"}`,
      { metadata: { map: label, applied: String(this.#written) } },
    );
  }

  async settle(): Promise<void> {
    const unwanted = await this.#lookAgain();
    await (isFixed(this.#args.target.layout.type) ? this.#zero(unwanted) : this.#remove(unwanted));
    const missing: number[] = [];
    for (let number = 0; number < this.#picture.size; number++) {
      const known = this.#picture.known(number);
      if (known & Known.WANTED && !(known & Known.PRESENT)) missing.push(number);
    }
    await this.#write(missing, "insist");
  }

  result(): LoadResult {
    const { WANTED, ORIGINAL, CHANGED } = Known;
    const isReplace = this.#args.strategy === "replace";
    return {
      received: this.#received,
      written: this.#written,
      added: this.#picture.count(WANTED, ORIGINAL),
      changed: this.#picture.count(WANTED | ORIGINAL | CHANGED, 0),
      unchanged: this.#picture.count(WANTED | ORIGINAL, CHANGED),
      ...(isReplace && { removed: this.#args.dryRun ? this.#removable() : this.#removed }),
    };
  }

  /** Notes that the stream has an element; its number where the map's is different. */
  #want(keys: Buffer, keyAt: number, values: Buffer, valueAt: number): number | undefined {
    const number = this.#picture.add(keys, keyAt);
    const known = this.#picture.known(number);
    this.#picture.learn(number, Known.WANTED);
    const isThere = (known & (Known.ORIGINAL | Known.WANTED)) !== 0;
    if (isThere && this.#picture.hasValue(number, values, valueAt)) return undefined;
    this.#picture.setValue(number, values, valueAt);
    this.#picture.learn(number, Known.CHANGED);
    return number;
  }

  /**
   * Walks the map as it is now: marks what is as wanted, and answers the keys of what
   * nobody wants, in columns.
   */
  async #lookAgain(): Promise<Buffer[]> {
    const { keySize, valueStride } = this.#args.target.layout;
    const unwanted: Buffer[] = [];
    await this.#walk((source) => {
      const keys: Buffer[] = [];
      for (let index = 0; index < source.count; index++) {
        const number = this.#picture.find(source.keys, index * keySize);
        if (number < 0 || !(this.#picture.known(number) & Known.WANTED)) {
          if (this.#isKept(source.values, index * valueStride)) continue;
          keys.push(source.keys.subarray(index * keySize, (index + 1) * keySize));
        } else if (this.#picture.hasValue(number, source.values, index * valueStride)) {
          this.#picture.learn(number, Known.PRESENT);
        }
      }
      if (keys.length > 0) unwanted.push(Buffer.concat(keys));
    });
    return unwanted;
  }

  /** Whether an unwanted element needs nothing done: one of an array that is zero. */
  #isKept(values: Buffer, at: number): boolean {
    const { type, valueStride } = this.#args.target.layout;
    return isFixed(type) && values.subarray(at, at + valueStride).every((byte) => byte === 0);
  }

  async #remove(unwanted: readonly Buffer[]): Promise<void> {
    const remover = new ElementRemover(this.#args.target);
    try {
      for (const keys of unwanted) {
        this.#removed += remover.remove(keys, 0, keys.length / this.#args.target.layout.keySize);
        await this.#context.turn();
      }
    } finally {
      remover.release();
    }
  }

  async #zero(unwanted: readonly Buffer[]): Promise<void> {
    const { keySize, valueStride } = this.#args.target.layout;
    const values = Buffer.alloc(valueStride);
    for (const keys of unwanted) {
      for (let at = 0; at < keys.length; at += keySize) {
        const one = { count: 1, keys: keys.subarray(at, at + keySize), values };
        const { errno } = this.#writer.write(one, 0);
        if (errno !== undefined)
          throw explainFor(this.#args.target, errno, "set an element to zero");
        this.#removed++;
      }
      await this.#context.turn();
    }
  }

  /**
   * Writes elements of the picture by number. Where the map is full, additions are left
   * for later unless `insist` is given.
   */
  async #write(numbers: readonly number[], insist?: "insist"): Promise<void> {
    const { keySize, valueStride } = this.#args.target.layout;
    const { stretch } = this.#writer;
    for (let from = 0; from < numbers.length; from += stretch) {
      const some = numbers.slice(from, from + stretch);
      const keys = Buffer.allocUnsafe(some.length * keySize);
      const values = Buffer.allocUnsafe(some.length * valueStride);
      for (const [index, number] of some.entries()) {
        this.#picture.keys.copy(keys, index * keySize, number * keySize, (number + 1) * keySize);
        this.#picture.values.copy(
          values,
          index * valueStride,
          number * valueStride,
          (number + 1) * valueStride,
        );
      }
      for (let done = 0; done < some.length; ) {
        const { written, errno } = this.#writer.write({ count: some.length, keys, values }, done);
        done += written;
        this.#written += written;
        if (errno === undefined) continue;
        const error = explainFor(this.#args.target, errno, "update an element");
        if (insist || error.reason !== "MAP_FULL") {
          throw error.with({ applied: String(this.#written) });
        }
        done++;
      }
      await this.#context.turn();
    }
  }

  #removable(): number {
    const { ORIGINAL, WANTED } = Known;
    if (!isFixed(this.#args.target.layout.type)) return this.#picture.count(ORIGINAL, WANTED);
    let removable = 0;
    for (let number = 0; number < this.#picture.size; number++) {
      if (!(this.#picture.known(number) & WANTED) && !this.#picture.isZero(number)) removable++;
    }
    return removable;
  }

  /** Walks the whole map; refuses to go on from a walk that was not complete. */
  async #walk(use: (source: ElementSource) => void): Promise<void> {
    const { target, dedupMemoryBytes } = this.#args;
    const source = openSource(target, {
      stretch: stretchFor(target.layout),
      dedupMemoryBytes,
      maxRestarts: MAX_RESTARTS,
    });
    try {
      while (source.next()) {
        use(source);
        await this.#context.turn();
      }
      if (source.stats.incomplete === undefined) return;
      throw new MapError(
        "MAP_CONTENDED",
        `${target.label}: the map changed too fast to be read whole; try again`,
        { metadata: { map: target.label, applied: String(this.#written) } },
      );
    } finally {
      source.release();
    }
  }

  #checkMemory(): void {
    const limit = this.#args.replaceMemoryBytes;
    if (this.#picture.bytes <= limit) return;
    throw new MapError(
      "LIMIT_EXCEEDED",
      `${this.#args.target.label}: the picture of the map's elements takes more than limits.replace_memory_bytes (${limit})`,
      { metadata: { map: this.#args.target.label, applied: String(this.#written) } },
    );
  }
}
