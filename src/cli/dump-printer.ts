import type { Map as BpfMap, DumpSummary, Elements } from "@bpfmapd/client/proto";
import type { CliContext } from "./context.js";
import { jsonLayout } from "./format/element-json.js";
import type { ElementLayout } from "./format/element-layout.js";
import { ElementRenderer } from "./format/element-renderer.js";
import { elementShape } from "./format/element-shape.js";
import { elementTable } from "./format/element-table.js";
import { textLayout } from "./format/element-text.js";
import { JsonWriter } from "./format/json-writer.js";
import { writeMapHeader } from "./format/map-json.js";
import { mapHeaderText } from "./format/map-text.js";
import {
  ObjectRenderer,
  type PutObject,
  putIntoJson,
  putIntoText,
} from "./format/object-renderer.js";
import { TypedRenderer } from "./format/typed-renderer.js";
import type { TypedValues } from "./format/typed-value.js";

/** Takes what a dump brings, in its order. */
export interface DumpSink {
  header(map: BpfMap): Promise<void>;
  elements(elements: Elements): Promise<void>;
  summary(summary: DumpSummary): Promise<void>;
}

/** How the elements of dumps are printed. */
export interface DumpPrinterOptions {
  /** Whether the values of per-CPU maps are one CPU's, or folded into one. */
  readonly singleValue: boolean;
  /** What prints a map's elements by type; undefined where they are printed in bytes. */
  readonly typed: (map: BpfMap) => Promise<TypedValues | undefined>;
}

/** Prints the dump of one map, as bpftool does. */
export class DumpPrinter implements DumpSink {
  readonly #context: CliContext;
  readonly #options: DumpPrinterOptions;
  #renderer: ObjectRenderer | undefined;
  #typed: TypedRenderer | undefined;
  #first = true;

  constructor(context: CliContext, options: DumpPrinterOptions) {
    this.#context = context;
    this.#options = options;
  }

  async header(map: BpfMap): Promise<void> {
    await this.begin(map, 1);
    if (this.#context.json) await this.#context.out.write("[");
  }

  /** Prepares for a map's elements; `depth` is that of the JSON array they go into. */
  async begin(map: BpfMap, depth: number): Promise<void> {
    const { json, pretty, tables, style, out } = this.#context;
    const shape = elementShape(map, this.#options.singleValue);
    const values = await this.#options.typed(map);
    this.#first = true;
    this.#typed = undefined;
    if (values) {
      // By type, bpftool prints JSON for people, too.
      if (!json) await out.write("[");
      const isPretty = pretty || !json;
      this.#typed = new TypedRenderer(shape, values, { isPretty, depth, withBytes: json });
    } else if (json) {
      this.#renderer = withObjects(jsonLayout(shape, pretty, depth), putIntoJson(pretty));
    } else if (tables) {
      const { heading, layout } = elementTable(shape, style);
      this.#renderer = withObjects(layout, putIntoText);
      await out.write(heading);
    } else {
      this.#renderer = withObjects(textLayout(shape), putIntoText);
    }
  }

  /** Whether the map has had no element so far. */
  get empty(): boolean {
    return this.#first;
  }

  async elements(elements: Elements): Promise<void> {
    if (this.#typed) {
      await this.#context.out.write(this.#typed.render(elements));
      this.#first = false;
      return;
    }
    for (const text of this.#renderer!.render(elements)) {
      // Every element's JSON begins with the comma after the one before it.
      await this.#context.out.write(this.#first && this.#context.json ? text.subarray(1) : text);
      this.#first = false;
    }
  }

  async summary(summary: DumpSummary): Promise<void> {
    const { json, pretty, out } = this.#context;
    const isPretty = pretty || !json;
    if (json || this.#typed) await out.write(`${isPretty && !this.#first ? "\n" : ""}]\n`);
    else await out.write(foundText(summary.sent));
  }

  /** What stands after a map's elements among those of several; nothing in JSON. */
  async endAmongOthers(summary: DumpSummary): Promise<void> {
    if (!this.#context.json) await this.summary(summary);
  }
}

/** Prints the dumps of several maps of one name, as bpftool does. */
export class MultiDumpPrinter implements DumpSink {
  readonly #context: CliContext;
  readonly #printer: DumpPrinter;
  readonly #json: JsonWriter;
  #text = "";
  #maps = 0;

  constructor(context: CliContext, options: DumpPrinterOptions) {
    this.#context = context;
    this.#printer = new DumpPrinter(context, options);
    this.#json = new JsonWriter((text) => {
      this.#text += text;
    }, context.pretty);
  }

  async start(): Promise<void> {
    if (!this.#context.json) return;
    this.#json.startArray();
    await this.#flush();
  }

  async header(map: BpfMap): Promise<void> {
    if (this.#context.json) {
      this.#json.startObject();
      writeMapHeader(this.#json, map);
      this.#json.name("elements");
      this.#json.startArray();
      await this.#flush();
    } else {
      await this.#context.out.write(`${this.#maps > 0 ? "\n" : ""}${mapHeaderText(map)}\n`);
    }
    this.#maps++;
    await this.#printer.begin(map, this.#json.depth);
  }

  elements(elements: Elements): Promise<void> {
    return this.#printer.elements(elements);
  }

  async summary(summary: DumpSummary): Promise<void> {
    if (!this.#context.json) {
      await this.#printer.endAmongOthers(summary);
      return;
    }
    if (!this.#printer.empty) this.#json.wroteItems();
    this.#json.endArray();
    this.#json.endObject();
    await this.#flush();
  }

  async finish(): Promise<void> {
    if (!this.#context.json) return;
    this.#json.endArray();
    this.#json.finish();
    await this.#flush();
  }

  async #flush(): Promise<void> {
    await this.#context.out.write(this.#text);
    this.#text = "";
  }
}

function withObjects(layout: ElementLayout, put: PutObject): ObjectRenderer {
  return new ObjectRenderer(new ElementRenderer(layout), put);
}

function foundText(count: bigint): string {
  return `Found ${count} element${count === 1n ? "" : "s"}\n`;
}
