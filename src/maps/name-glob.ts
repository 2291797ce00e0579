/** What a piece of a pattern makes of the places in the name that were reached before it. */
type Piece = (places: ReadonlySet<number>, name: string) => ReadonlySet<number>;

/**
 * Compiles a shell pattern over a map's name: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}`, and
 * `\` before a character that stands for itself. A bracket or brace without its other
 * half stands for itself.
 *
 * Own code and no regular expression, because patterns come from clients: it takes time
 * in proportion to pattern times name, whatever the pattern, where backtracking over
 * `*(a)*(a)…` would keep the daemon for hours.
 */
export function compileGlob(glob: string): (name: string) => boolean {
  return compile(new GlobParser(glob));
}

/**
 * As {@link compileGlob}, over a path or another name with parts between `/`: `*`, `?` and
 * brackets stay within a part, and `**` reaches over any number of them.
 */
export function compilePathGlob(glob: string): (path: string) => boolean {
  return compile(new GlobParser(glob, "/"));
}

function compile(parser: GlobParser): (name: string) => boolean {
  const match = parser.parse();
  return (name) => match(new Set([0]), name).has(name.length);
}

class GlobParser {
  readonly #text: string;
  readonly #separator: string | undefined;
  #at = 0;
  /** Places after a "{" that has no "}": tried again and again, they would double the work. */
  readonly #unclosed = new Set<number>();

  /** @param separator what only `**` reaches over; absent where there is nothing such */
  constructor(text: string, separator?: string) {
    this.#text = text;
    this.#separator = separator;
  }

  parse(): Piece {
    return this.#sequence(() => false);
  }

  /** Reads pieces up to the end, or to where `isEnd` says so. */
  #sequence(isEnd: (char: string) => boolean): Piece {
    const pieces: Piece[] = [];
    while (this.#at < this.#text.length && !isEnd(this.#text.charAt(this.#at))) {
      pieces.push(this.#piece());
    }
    return (places, name) => pieces.reduce((reached, piece) => piece(reached, name), places);
  }

  #piece(): Piece {
    const char = this.#text.charAt(this.#at++);
    switch (char) {
      case "*":
        return this.#stars();
      case "?":
        return oneOf((other) => other !== this.#separator);
      case "[":
        return this.#brackets() ?? literal(char);
      case "{":
        return this.#braces() ?? literal(char);
      case "\\":
        return literal(this.#text.charAt(this.#at++) || char);
      default:
        return literal(char);
    }
  }

  #stars(): Piece {
    if (this.#separator === undefined) return anything;
    if (this.#text.charAt(this.#at) !== "*") return anythingWithin(this.#separator);
    this.#at++;
    return anything;
  }

  #brackets(): Piece | undefined {
    // A "]" that comes first stands for itself.
    const [all, not, members] = /^([!^]?)(\]?[^\]]*)\]/.exec(this.#text.slice(this.#at)) ?? [];
    if (all === undefined || !members) return undefined;
    this.#at += all.length;
    const ranges = [...members.matchAll(/(.)-(.)|(.)/gs)].map(
      ([, from, to, one]) => [from ?? one, to ?? one] as [string, string],
    );
    const isMember = (char: string) => ranges.some(([from, to]) => from <= char && char <= to);
    return oneOf((char) => char !== this.#separator && isMember(char) === (not === ""));
  }

  #braces(): Piece | undefined {
    const start = this.#at;
    if (this.#unclosed.has(start)) return undefined;
    const branches: Piece[] = [];
    for (;;) {
      branches.push(this.#sequence((char) => char === "," || char === "}"));
      const end = this.#text.charAt(this.#at++);
      if (end === ",") continue;
      if (end === "}") break;
      this.#unclosed.add(start);
      this.#at = start;
      return undefined;
    }
    return (places, name) => new Set(branches.flatMap((branch) => [...branch(places, name)]));
  }
}

/** From the first place on, every place can be reached. */
const anything: Piece = (places, name) => {
  if (places.size === 0) return places;
  const reached = new Set<number>();
  for (let place = Math.min(...places); place <= name.length; place++) reached.add(place);
  return reached;
};

/** From each place on, the places up to the next separator can be reached. */
function anythingWithin(separator: string): Piece {
  return (places, name) => {
    const reached = new Set<number>();
    for (let place = 0, isOpen = false; place <= name.length; place++) {
      isOpen = places.has(place) || (isOpen && name.charAt(place - 1) !== separator);
      if (isOpen) reached.add(place);
    }
    return reached;
  };
}

function oneOf(isFit: (char: string) => boolean): Piece {
  return (places, name) => {
    const reached = new Set<number>();
    for (const place of places) {
      if (place < name.length && isFit(name.charAt(place))) reached.add(place + 1);
    }
    return reached;
  };
}

function literal(wanted: string): Piece {
  return oneOf((char) => char === wanted);
}
