import {
  BpfmapError,
  Fleet,
  type FleetWatchEvent,
  type FleetWatchOptions,
  status,
} from "@bpfmapd/client";
import type { Command } from "commander";
import { Interrupted } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { jsonText } from "../format/json-writer.js";
import { addHostOptions, type HostOptions, hostSelector } from "../grammar/host-selector.js";
import { takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import type { Verb } from "../verb.js";
import {
  addChangeOptions,
  addSumOption,
  type ChangeOptions,
  changesAskedFor,
} from "../watch-options.js";
import { WatchPrinter } from "../watch-printer.js";

type Options = HostOptions & ChangeOptions;

async function run(context: CliContext, words: Words, options: Options): Promise<undefined> {
  const map = context.mapRefInit(takeMap(words));
  words.expectEnd();
  const printer = new FleetPrinter(context, options);
  const most = options.count ?? Number.POSITIVE_INFINITY;
  let printed = 0;
  const watch = new Fleet(context.client).watch(map, {
    ...watchOptions(options),
    signal: context.signal,
    onLost: ({ message }) => context.note(`-- ${message}: trying again`),
  });
  try {
    for await (const event of watch) {
      await printer.print(event);
      if (event.kind !== "event") continue;
      if (event.event.type === "put" || event.event.type === "delete") printed++;
      if (printed >= most) return;
    }
  } catch (error) {
    if (error instanceof BpfmapError && error.code === status.CANCELLED) throw new Interrupted();
    throw error;
  }
}

function watchOptions(options: Options): FleetWatchOptions {
  return { hosts: hostSelector(options), ...changesAskedFor(options) };
}

/** Prints what a watch of a fleet yields, each line with its host. */
class FleetPrinter {
  readonly #context: CliContext;
  readonly #options: Options;
  readonly #hosts = new Map<string, WatchPrinter>();

  constructor(context: CliContext, options: Options) {
    this.#context = context;
    this.#options = options;
  }

  async print(event: FleetWatchEvent): Promise<void> {
    if (event.kind === "event") {
      await this.#printerOf(event.hostId).print(event.event);
      return;
    }
    if (event.kind === "left") this.#hosts.delete(event.hostId);
    if (this.#context.json) await this.#context.out.write(eventJson(event));
    else this.#context.note(`-- ${eventText(event)}`);
  }

  #printerOf(host: string): WatchPrinter {
    let printer = this.#hosts.get(host);
    if (!printer) {
      printer = new WatchPrinter(this.#context, {
        host,
        keysOnly: this.#options.keysOnly ?? false,
        singleValue: this.#options.sum !== undefined,
        explainsSource: false,
      });
      this.#hosts.set(host, printer);
    }
    return printer;
  }
}

type HostEvent = Exclude<FleetWatchEvent, { kind: "event" }>;

function eventText(event: HostEvent): string {
  switch (event.kind) {
    case "started":
      return `${event.hosts} ${event.hosts === 1 ? "host matches" : "hosts match"}`;
    case "begun":
      return event.resumed
        ? `${event.hostId}: goes on`
        : `${event.hostId}: the contents follow, whatever was printed before`;
    case "lost":
      return event.error
        ? `${event.hostId}: lost: ${event.error.message}`
        : `${event.hostId}: no other map is waited for`;
    case "left":
      return `${event.hostId}: is not watched any more`;
  }
}

function eventJson(event: HostEvent): string {
  return jsonText(false, (json) => {
    json.startObject();
    json.member("event", event.kind);
    if (event.kind === "started") json.member("hosts", event.hosts);
    else json.member("host", event.hostId);
    if (event.kind === "begun") json.member("resumed", event.resumed);
    if (event.kind === "lost" && event.error) {
      json.member("reason", event.error.reason);
      json.member("message", event.error.message);
    }
    json.endObject();
  });
}

function addOptions(command: Command): void {
  addSumOption(addChangeOptions(addHostOptions(command), "a map"));
}

export const fleetWatch: Verb<Options> = {
  name: "watch",
  usage: "MAP",
  summary: "print a map's contents on many hosts, then changes as they come",
  details:
    "As map watch, with the host before each line. Hosts that come to match are watched from then " +
    "on; those that are lost go on where they were when they are back. It outlives its relay.",
  examples: [
    ["fleet watch held flows --label zone=a", "until interrupted"],
    ["-j fleet watch name fw_rules --updates-only", "for programs: one JSON object a line"],
  ],
  addOptions,
  run,
};
