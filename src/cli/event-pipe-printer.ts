import type { LostEvent, RecordEvent } from "@bpfmapd/client";
import type { CliContext } from "./context.js";
import { plainHex } from "./format/hex.js";
import { JsonWriter } from "./format/json-writer.js";
import { lossName, lossText } from "./format/loss.js";

/** PERF_RECORD_LOST and PERF_RECORD_SAMPLE, which bpftool's JSON tells events by. */
const LOST = 2;
const SAMPLE = 9;
const NS_PER_SECOND = 1_000_000_000n;

/** Prints events as bpftool does (print_bpf_output in its map_perf_ring.c). */
export class EventPipePrinter {
  readonly #context: CliContext;
  readonly #index: number | undefined;
  readonly #parts: string[] = [];
  readonly #json: JsonWriter;

  /** @param index the only slot that is read; undefined where each CPU's is its own number */
  constructor(context: CliContext, index: number | undefined) {
    this.#context = context;
    this.#index = index;
    this.#json = new JsonWriter((text) => this.#parts.push(text), context.pretty);
  }

  async start(): Promise<void> {
    if (this.#context.json) this.#json.startArray();
    await this.#flush();
  }

  async print(event: RecordEvent | LostEvent): Promise<void> {
    if (!this.#context.json) this.#parts.push(this.#text(event));
    else this.#writeJson(event);
    await this.#flush();
  }

  async end(): Promise<void> {
    if (!this.#context.json) return;
    this.#json.endArray();
    this.#json.finish();
    await this.#flush();
  }

  #text(event: RecordEvent | LostEvent): string {
    if (event.type === "lost") return `lost ${event.count} events${lossText(event)}\n`;
    const { cpu = 0, timeNs = 0n, data } = event;
    const nanoseconds = String(timeNs % NS_PER_SECOND).padStart(9, "0");
    const time = `${timeNs / NS_PER_SECOND}.${nanoseconds}`;
    return `== @${time} CPU: ${cpu} index: ${this.#indexOf(cpu)} =====\n${plainHex(data)}\n`;
  }

  #writeJson(event: RecordEvent | LostEvent): void {
    const json = this.#json;
    json.startObject();
    json.member("type", event.type === "lost" ? LOST : SAMPLE);
    if (event.cpu !== undefined) {
      json.member("cpu", event.cpu);
      json.member("index", this.#indexOf(event.cpu));
    }
    if (event.type === "record") {
      json.member("timestamp", event.timeNs ?? 0n);
      json.name("data");
      json.startArray();
      for (const byte of event.data) json.value(byte);
      json.endArray();
    } else {
      json.name("lost");
      json.startObject();
      json.member("count", event.count);
      json.member("reason", lossName(event));
      json.endObject();
    }
    json.endObject();
  }

  #indexOf(cpu: number): number {
    return this.#index ?? cpu;
  }

  async #flush(): Promise<void> {
    await this.#context.out.write(this.#parts.splice(0).join(""));
  }
}
