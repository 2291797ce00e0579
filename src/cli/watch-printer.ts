import type { DeleteEvent, PutEvent, WatchEvent } from "@bpfmapd/client";
import {
  type Map as BpfMap,
  ResyncReason,
  type WatchCreated,
  WatchFidelity,
  WatchSource,
  type WatchWriter,
  WriterKind,
} from "@bpfmapd/client/proto";
import { create } from "@bufbuild/protobuf";
import { DurationSchema, durationMs } from "@bufbuild/protobuf/wkt";
import type { CliContext } from "./context.js";
import { type ElementShape, elementShape, slotOffset } from "./format/element-shape.js";
import { HEX } from "./format/hex.js";
import { type JsonWriter, jsonText } from "./format/json-writer.js";
import type { TypedValues } from "./format/typed-value.js";
import { nameOf } from "./maps.js";

const NO_TIME = create(DurationSchema);

/** What of changes to print. */
export interface WatchPrinterOptions {
  readonly keysOnly: boolean;
  /** Whether values are one CPU's, or all folded into one. */
  readonly singleValue: boolean;
  /** What prints keys and values by type; undefined where they are printed in bytes. */
  readonly typed?: TypedValues | undefined;
  /** Whether to say why changes are not learnt from better sources. */
  readonly explainsSource: boolean;
  /** The host of a fleet that it is about, which is printed with everything. */
  readonly host?: string;
}

type ChangeEvent = PutEvent | DeleteEvent;

/** Prints what a watch yields, a line each. */
export class WatchPrinter {
  readonly #context: CliContext;
  readonly #options: WatchPrinterOptions;
  #shape: ElementShape | undefined;
  #map: BpfMap | undefined;

  constructor(context: CliContext, options: WatchPrinterOptions) {
    this.#context = context;
    this.#options = options;
  }

  async print(event: WatchEvent): Promise<void> {
    if (event.type === "created") {
      this.#map = event.created.map;
      this.#shape = this.#map && elementShape(this.#map, this.#options.singleValue);
    }
    const text = this.#context.json ? this.#json(event) : this.#text(event);
    await this.#context.out.write(text);
  }

  #text(event: WatchEvent): string {
    switch (event.type) {
      case "put":
      case "delete":
        return this.#changeText(event);
      case "resync":
        this.#note(
          `what was printed may be out of date (${reasonText(event.reason)}): the contents follow anew`,
        );
        return "";
      case "synced":
        this.#note("the contents are complete; changes follow");
        return "";
      case "gone":
        this.#note(`map id ${event.id} is gone`);
        return "";
      case "created":
        this.#note(`watching ${this.#watchedText(event.created)}`);
        return "";
      case "bookmark":
        return "";
    }
  }

  #note(text: string): void {
    const { host } = this.#options;
    this.#context.note(`-- ${host === undefined ? "" : `${host}: `}${text}`);
  }

  #watchedText({ source, sourceReason, pollInterval }: WatchCreated): string {
    const map = this.#map ? nameOf(this.#map) : "a map";
    const seconds = `${durationMs(pollInterval ?? NO_TIME) / 1000} s`;
    const why = this.#options.explainsSource && sourceReason !== "" ? `, as ${sourceReason}` : "";
    switch (source) {
      case WatchSource.TRACE:
        return `${map}: every call is traced`;
      case WatchSource.SYSCALL:
        return `${map}: system calls are traced, and it is scanned every ${seconds}${why}`;
      default:
        return `${map}: it is scanned every ${seconds}${why}`;
    }
  }

  #changeText(event: ChangeEvent): string {
    const { style } = this.#context;
    const isPut = event.type === "put";
    const kind = isPut
      ? event.initial
        ? style.dim("init  ")
        : style.green("put   ")
      : style.red("delete");
    const typed = this.#typedText(event);
    const { host } = this.#options;
    const parts = [style.dim(timeText(event.seenBefore)), kind];
    if (host !== undefined) parts.unshift(style.bold(host));
    parts.push(`key ${typed?.key ?? hexText(event.key)}`);
    if (isPut && !this.#options.keysOnly) {
      parts.push(`value ${typed?.value ?? this.#valueText(event.value)}`);
    }
    if (event.previous) {
      parts.push(style.dim(`was ${typed?.previous ?? this.#valueText(event.previous)}`));
    }
    if (event.writer) parts.push(style.cyan(`by ${writerText(event.writer)}`));
    return `${parts.join("  ")}\n`;
  }

  /** What a change says by its types, each in a line. */
  #typedText({
    json,
  }: ChangeEvent): { key?: string; value?: string; previous?: string } | undefined {
    const { typed } = this.#options;
    if (!typed || !json) return undefined;
    const line = (write: (json: JsonWriter) => void) => jsonText(false, write).trimEnd();
    const { key, value, previous } = json;
    return {
      ...(typed.hasKeyType && { key: line((out) => typed.writeKey(out, key)) }),
      ...(value !== undefined && { value: line((out) => this.#writeValue(out, typed, value)) }),
      ...(previous !== undefined && {
        previous: line((out) => this.#writeValue(out, typed, previous)),
      }),
    };
  }

  #writeValue(json: JsonWriter, typed: TypedValues, text: string): void {
    const { cpus } = this.#shape ?? {};
    if (!cpus) {
      typed.writeValue(json, text);
      return;
    }
    json.startArray();
    for (const [slot, cpu] of cpus.entries()) {
      json.startObject();
      json.member("cpu", cpu);
      json.name("value");
      typed.writeValue(json, text, slot);
      json.endObject();
    }
    json.endArray();
  }

  /** As in bpftool's dumps: what the bytes say stands beside them. */
  #formattedJson(json: JsonWriter, event: ChangeEvent): void {
    const { typed, keysOnly } = this.#options;
    if (!typed || !event.json) return;
    const { key, value, previous } = event.json;
    json.name("formatted");
    json.startObject();
    if (typed.hasKeyType) {
      json.name("key");
      typed.writeKey(json, key);
    }
    if (value !== undefined && !keysOnly) {
      json.name("value");
      this.#writeValue(json, typed, value);
    }
    if (previous !== undefined) {
      json.name("previous");
      this.#writeValue(json, typed, previous);
    }
    json.endObject();
  }

  #valueText(value: Uint8Array): string {
    const slots = slotsOf(this.#shape, value);
    if (!slots) return hexText(value);
    return slots.map(({ cpu, bytes }) => `cpu${cpu} ${hexText(bytes)}`).join(" ");
  }

  #json(event: WatchEvent): string {
    if (event.type === "bookmark") return "";
    // One line each, so that a reader need not wait for an end that may never come.
    return jsonText(false, (json) => {
      json.startObject();
      json.member("event", event.type);
      if (this.#options.host !== undefined) json.member("host", this.#options.host);
      this.#jsonMembers(json, event);
      json.endObject();
    });
  }

  #jsonMembers(json: JsonWriter, event: Exclude<WatchEvent, { type: "bookmark" }>): void {
    switch (event.type) {
      case "put":
      case "delete":
        this.#changeJson(json, event);
        break;
      case "created":
        json.member("map_id", event.created.map?.id ?? 0);
        json.member("source", nameIn(WatchSource, event.created.source));
        json.member("source_reason", event.created.sourceReason);
        json.member("fidelity", nameIn(WatchFidelity, event.created.fidelity));
        json.member("interval_ms", durationMs(event.created.pollInterval ?? NO_TIME));
        break;
      case "synced":
        json.member("revision", event.bookmark.revision);
        break;
      case "resync":
        json.member("reason", nameIn(ResyncReason, event.reason));
        json.member("lost", event.lost);
        break;
      case "gone":
        json.member("map_id", event.id);
    }
  }

  #changeJson(json: JsonWriter, event: ChangeEvent): void {
    json.member("time", event.seenBefore.toISOString());
    json.member("revision", event.revision);
    if (event.type === "put") json.member("initial", event.initial);
    json.name("key");
    json.bytes(event.key);
    if (event.type === "put" && !this.#options.keysOnly)
      this.#valueJson(json, "value", event.value);
    if (event.previous) this.#valueJson(json, "previous", event.previous);
    this.#formattedJson(json, event);
    if (!event.writer) return;
    json.name("writer");
    json.startObject();
    json.member("pid", event.writer.pid);
    json.member("comm", event.writer.comm);
    json.member("kind", nameIn(WriterKind, event.writer.kind));
    json.endObject();
  }

  /** As bpftool, but that the CPUs' values stand under the same name. */
  #valueJson(json: JsonWriter, name: string, value: Uint8Array): void {
    json.name(name);
    const slots = slotsOf(this.#shape, value);
    if (!slots) {
      json.bytes(value);
      return;
    }
    json.startArray();
    for (const { cpu, bytes } of slots) {
      json.startObject();
      json.member("cpu", cpu);
      json.name("value");
      json.bytes(bytes);
      json.endObject();
    }
    json.endArray();
  }
}

interface Slot {
  readonly cpu: number;
  readonly bytes: Uint8Array;
}

function slotsOf(shape: ElementShape | undefined, value: Uint8Array): Slot[] | undefined {
  return shape?.cpus?.map((cpu, slot) => {
    const from = slotOffset(shape, slot);
    return { cpu, bytes: value.subarray(from, from + shape.valueSize) };
  });
}

function hexText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => HEX[byte]).join(" ");
}

/** The time of day with milliseconds, where the user is. */
function timeText(time: Date): string {
  const two = (number: number) => String(number).padStart(2, "0");
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  return `${clock}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

function writerText({ comm, pid, kind }: WatchWriter): string {
  const name = `${comm || "?"}[${pid}]`;
  return kind === WriterKind.PROGRAM ? `a program in ${name}` : name;
}

/** The name of a value of an enum as programs read it; of one that is newer than this, its number. */
function nameIn(names: Readonly<Record<number, string>>, value: number): string {
  return (names[value] ?? String(value)).toLowerCase();
}

function reasonText(reason: ResyncReason): string {
  switch (reason) {
    case ResyncReason.EPOCH_CHANGED:
      return "the daemon was started anew";
    case ResyncReason.HISTORY_EXPIRED:
    case ResyncReason.OVERFLOW:
      return "too much changed meanwhile";
    case ResyncReason.MAP_RECREATED:
      return "another map stands in its place";
    case ResyncReason.TRACE_LOST:
      return "the kernel had no room for some calls";
    default:
      return "the connection was lost";
  }
}
