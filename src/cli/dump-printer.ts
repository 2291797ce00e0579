import type { Map as BpfMap, DumpSummary, Elements } from "@bpfmapd/client/proto";
import type { CliContext } from "./context.js";
import { jsonLayout } from "./format/element-json.js";
import { ElementRenderer } from "./format/element-renderer.js";
import { elementShape } from "./format/element-shape.js";
import { elementTable } from "./format/element-table.js";
import { textLayout } from "./format/element-text.js";
import { JsonWriter } from "./format/json-writer.js";
import { writeMapHeader } from "./format/map-json.js";
import { mapHeaderText } from "./format/map-text.js";

/** Takes what a dump brings, in its order. */
export interface DumpSink {
  header(map: BpfMap): Promise<void>;
  elements(elements: Elements): Promise<void>;
  summary(summary: DumpSummary): Promise<void>;
}

/** Prints the dump of one map, as bpftool does. */
export class DumpPrinter implements DumpSink {
  readonly #context: CliContext;
  readonly #singleValue: boolean;
  #renderer: ElementRenderer | undefined;
  #first = true;

  constructor(context: CliContext, singleValue: boolean) {
    this.#context = context;
    this.#singleValue = singleValue;
  }

  async header(map: BpfMap): Promise<void> {
    if (this.#context.json) await this.#context.out.write("[");
    await this.begin(map, 1);
  }

  /** Prepares for a map's elements; `depth` is that of the JSON array they go into. */
  async begin(map: BpfMap, depth: number): Promise<void> {
    const { json, pretty, tables, style, out } = this.#context;
    const shape = elementShape(map, this.#singleValue);
    this.#first = true;
    if (json) {
      this.#renderer = new ElementRenderer(jsonLayout(shape, pretty, depth));
    } else if (tables) {
      const { heading, layout } = elementTable(shape, style);
      this.#renderer = new ElementRenderer(layout);
      await out.write(heading);
    } else {
      this.#renderer = new ElementRenderer(textLayout(shape));
    }
  }

  /** Whether the map has had no element so far. */
  get empty(): boolean {
    return this.#first;
  }

  async elements(elements: Elements): Promise<void> {
    for (const text of this.#renderer!.render(elements)) {
      // Every element's JSON begins with the comma after the one before it.
      await this.#context.out.write(this.#first && this.#context.json ? text.subarray(1) : text);
      this.#first = false;
    }
  }

  async summary(summary: DumpSummary): Promise<void> {
    const { json, pretty, out } = this.#context;
    if (json) await out.write(`${pretty && !this.#first ? "\n" : ""}]\n`);
    else await out.write(foundText(summary.sent));
  }
}

/** Prints the dumps of several maps of one name, as bpftool does. */
export class MultiDumpPrinter implements DumpSink {
  readonly #context: CliContext;
  readonly #printer: DumpPrinter;
  readonly #json: JsonWriter;
  #text = "";
  #maps = 0;

  constructor(context: CliContext, singleValue: boolean) {
    this.#context = context;
    this.#printer = new DumpPrinter(context, singleValue);
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
      await this.#context.out.write(foundText(summary.sent));
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

function foundText(count: bigint): string {
  return `Found ${count} element${count === 1n ? "" : "s"}\n`;
}
