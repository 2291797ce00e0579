/** A JSON text is not one of the type: what is wrong, and where. */
export class JsonProblem extends Error {
  override readonly name = "JsonProblem";
}

/** What comes next in a text. */
export type JsonToken = "{" | "[" | '"' | "number" | "true" | "false" | "null" | "other";

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y;
const SPACE = /[ \t\n\r]*/y;
/** A string without escapes. */
const PLAIN_STRING = /"([^"\\\p{Cc}]*)"/uy;
/** Any string; what JSON does not allow in it is left to JSON.parse. */
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/y;

/**
 * Reads a JSON text piece by piece, for a reader that knows what must come. Unlike
 * JSON.parse it keeps numbers as they are written, so that none of 64 bits is rounded,
 * and lets repeated names be seen. {@link path} tells errors where they are.
 */
export class JsonReader {
  /** Names and indices that lead to what is read now; the first one names the whole. */
  readonly path: (string | number)[];
  readonly #text: string;
  #at = 0;

  constructor(text: string, root: string) {
    this.#text = text;
    this.path = [root];
  }

  peek(): JsonToken {
    this.#skipSpace();
    const char = this.#text[this.#at];
    switch (char) {
      case "{":
      case "[":
      case '"':
        return char;
      case "t":
        return this.#isNext("true") ? "true" : "other";
      case "f":
        return this.#isNext("false") ? "false" : "other";
      case "n":
        return this.#isNext("null") ? "null" : "other";
      default:
        return char !== undefined && (char === "-" || (char >= "0" && char <= "9"))
          ? "number"
          : "other";
    }
  }

  /** Takes the character if it comes next. */
  take(char: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  expect(char: string): void {
    if (!this.take(char)) this.failSyntax(`${JSON.stringify(char)} expected`);
  }

  /** Takes a word that {@link peek} has told of. */
  word(word: "true" | "false" | "null"): void {
    this.#at += word.length;
  }

  /** Takes a number, as it is written. */
  number(): string {
    this.#skipSpace();
    const [text] = this.#match(NUMBER) ?? this.failSyntax("a number expected");
    return text as string;
  }

  /** Takes a string. */
  string(): string {
    this.#skipSpace();
    const plain = this.#match(PLAIN_STRING);
    if (plain) return plain[1] as string;
    const [quoted] = this.#match(STRING) ?? this.failSyntax("a string expected");
    try {
      return JSON.parse(quoted as string) as string;
    } catch {
      return this.failSyntax("a string with a bad escape");
    }
  }

  /** Refuses anything but space in the rest of the text. */
  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) this.failSyntax("the end expected");
  }

  /** Ends the reading: what is at {@link path} is wrong. */
  fail(problem: string): never {
    throw new JsonProblem(`${pathText(this.path)}: ${problem}`);
  }

  failSyntax(problem: string): never {
    const found = this.#text.slice(this.#at, this.#at + 12);
    const what = found === "" ? "the text ends" : `${JSON.stringify(found)} found`;
    this.fail(`not JSON: ${problem} at character ${this.#at}, ${what}`);
  }

  #isNext(word: string): boolean {
    return this.#text.startsWith(word, this.#at);
  }

  #skipSpace(): void {
    // Most texts have no space at all.
    if ((this.#text.charCodeAt(this.#at) || 0x7f) <= 0x20) this.#match(SPACE);
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (!match) return undefined;
    this.#at = pattern.lastIndex;
    return match;
  }
}

/** A path as people write it: `value.addr[3]`. */
export function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? part : `${text}.${part}`;
  }, "");
}
