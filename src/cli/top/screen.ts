import type { Output } from "../output.js";

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/**
 * The other screen of a terminal, which is drawn anew in place. What was on the terminal
 * before comes back with {@link leave}, or when the process ends.
 */
export class Screen {
  readonly #out: Output;
  #isEntered = false;
  readonly #restore = () => process.stdout.write(LEAVE);

  constructor(out: Output) {
    this.#out = out;
  }

  /** Shows these lines and nothing else. */
  async draw(lines: readonly string[]): Promise<void> {
    if (!this.#isEntered) {
      this.#isEntered = true;
      process.once("exit", this.#restore);
      await this.#out.write(ENTER);
    }
    const text = lines.map((line) => `${line}${CLEAR_LINE}`).join("\r\n");
    await this.#out.write(`${HOME}${text}${CLEAR_BELOW}`);
  }

  async leave(): Promise<void> {
    if (!this.#isEntered) return;
    this.#isEntered = false;
    process.off("exit", this.#restore);
    await this.#out.write(LEAVE);
  }
}
