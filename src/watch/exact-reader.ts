import { ElementCalls } from "../kernel/index.js";
import { explainFor, type ScanTarget, whileContended } from "../maps/index.js";

/** Reads single elements by their exact key. {@link release} must be called. */
export class ExactReader {
  readonly #target: ScanTarget;
  readonly #calls: ElementCalls;

  constructor(target: ScanTarget) {
    this.#target = target;
    this.#calls = new ElementCalls(target.fd, target.layout.keySize, target.layout.valueStride);
  }

  /** The value of a key, valid until the next call; undefined where it is not there. */
  read(keys: Buffer, at: number): Buffer | undefined {
    const calls = this.#calls;
    keys.copy(calls.key, 0, at, at + calls.key.length);
    const errno = whileContended(() => calls.lookup());
    if (errno === "ENOENT") return undefined;
    if (errno !== undefined) throw explainFor(this.#target, errno, "look up an element");
    // After the lookup: a prefix that was there before could have gone until it.
    return this.#target.keyKind === "prefix" && !this.#hasPrefix() ? undefined : calls.value;
  }

  /** Gives the memory back. */
  release(): void {
    this.#calls.release();
  }

  /**
   * Whether the trie has exactly this prefix. A lookup would answer with a shorter one
   * that covers it. The key after a prefix that is not there is the trie's first key,
   * which comes after no other.
   */
  #hasPrefix(): boolean {
    const calls = this.#calls;
    if (calls.firstKey() !== undefined) return false;
    const first = Buffer.from(calls.following);
    return calls.nextKey() !== undefined || !first.equals(calls.following);
  }
}
