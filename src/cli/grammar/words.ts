import { CliError } from "../cli-error.js";
import { isPrefix } from "./keyword.js";

/** The words after a command's verb, read from left to right. */
export class Words {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  get done(): boolean {
    return this.#at >= this.#words.length;
  }

  /** The next word, without taking it. */
  peek(): string | undefined {
    return this.#words[this.#at];
  }

  /** Takes the next word. `what` says in the error what is missing. */
  next(what: string): string {
    const word = this.#words[this.#at];
    if (word === undefined) throw new CliError(`${what} is missing`);
    this.#at++;
    return word;
  }

  /** Takes the next word if it is the keyword or a prefix of it. */
  take(keyword: string): boolean {
    const word = this.peek();
    if (word === undefined || !isPrefix(word, keyword)) return false;
    this.#at++;
    return true;
  }

  /** Refuses words that are left over. */
  expectEnd(): void {
    if (!this.done) throw new CliError(`unexpected "${this.peek()}" at the end of the command`);
  }
}
