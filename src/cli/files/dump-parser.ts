import { jsonLayout } from "../format/element-json.js";
import { textLayout } from "../format/element-text.js";
import type { ChunkBuilder } from "./chunk-builder.js";
import type { ElementParser } from "./element-parser.js";
import type { ElementTarget } from "./element-target.js";
import { JsonParser } from "./json-parser.js";
import { LayoutMatcher } from "./layout-matcher.js";
import { TextParser } from "./text-parser.js";

const OPEN_ARRAY = 0x5b;
const COMMA = 0x2c;

/**
 * Reads a file that may be a dump, ours or bpftool's. For as long as it looks exactly
 * like one, its elements are read at their fixed places, about ten times as fast as
 * word by word; what does not is left to the parsers of JSON and text, from that
 * element on.
 */
export class DumpParser implements ElementParser {
  readonly #builder: ChunkBuilder;
  readonly #target: ElementTarget;
  readonly #json: boolean;
  #matchers: LayoutMatcher[];
  /** Bytes that are no whole element yet. */
  #rest: Buffer = Buffer.alloc(0);
  #elements = 0;
  #lines = 0;
  #slow: ElementParser | undefined;

  /** `json` tells whether the file begins with "[". */
  constructor(builder: ChunkBuilder, target: ElementTarget, json: boolean) {
    this.#builder = builder;
    this.#target = target;
    this.#json = json;
    const layouts = json
      ? [jsonLayout(target, false, 1), jsonLayout(target, true, 1)]
      : [textLayout(target)];
    this.#matchers = layouts.map(
      (layout) => new LayoutMatcher(layout, target.keySize, target.valueStride),
    );
    if (!json) this.#lines = layouts[0]!.template.filter((byte) => byte === 0x0a).length;
  }

  push(block: Buffer): void {
    if (this.#slow !== undefined) {
      this.#slow.push(block);
      return;
    }
    const bytes = this.#rest.length === 0 ? block : Buffer.concat([this.#rest, block]);
    let at = 0;
    if (this.#elements === 0) {
      const first = this.#firstMatch(bytes);
      if (first === undefined) return;
      if (first === 0) {
        this.#goSlow(bytes);
        return;
      }
      at = first;
    }
    const matcher = this.#matchers[0]!;
    while (at + matcher.width <= bytes.length) {
      if (!matcher.match(bytes, at)) {
        this.#goSlow(bytes.subarray(at));
        return;
      }
      this.#add(matcher);
      at += matcher.width;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
  }

  end(): void {
    if (this.#slow === undefined) this.#goSlow(this.#rest);
    this.#slow!.end();
  }

  /**
   * Chooses the layout by the first element. Returns where the next one begins, 0 where
   * none fits, undefined where there are too few bytes to tell.
   */
  #firstMatch(bytes: Buffer): number | undefined {
    for (const matcher of this.#matchers) {
      if (bytes.length < matcher.width) {
        this.#rest = Buffer.from(bytes);
        return undefined;
      }
      let text = bytes;
      if (this.#json && bytes[0] === OPEN_ARRAY) {
        // In the layout a comma stands where the array's bracket does before the first.
        text = Buffer.from(bytes.subarray(0, matcher.width));
        text[0] = COMMA;
      }
      if (matcher.match(text, 0)) {
        this.#matchers = [matcher];
        this.#add(matcher);
        return matcher.width;
      }
    }
    return 0;
  }

  #add(matcher: LayoutMatcher): void {
    this.#builder.addWhole(matcher.key, matcher.value);
    this.#elements++;
  }

  /** Leaves the rest of the file to the parsers that read any form. */
  #goSlow(rest: Buffer): void {
    this.#rest = Buffer.alloc(0);
    if (this.#json) {
      this.#slow = new JsonParser(this.#builder, this.#elements);
      this.#slow.push(this.#elements === 0 ? rest : Buffer.concat([Buffer.from("[0"), rest]));
    } else {
      const line = this.#elements * this.#lines;
      this.#slow = new TextParser(this.#builder, this.#target, line);
      this.#slow.push(rest);
    }
  }
}
