import {
  type FanOutEvent,
  type FanOutRequestInit,
  type FanOutRpc,
  Fleet,
  type HostResult,
} from "@bpfmapd/client";
import { MapService } from "@bpfmapd/client/proto";
import {
  type DescMethod,
  fromJson,
  type Message,
  type JsonValue as ProtoJson,
  toJson,
} from "@bufbuild/protobuf";
import { CliError, messageOf } from "../cli-error.js";
import { oneOf } from "../completion/candidates.js";
import type { CliContext } from "../context.js";
import { ExitCode } from "../exit-code.js";
import { resultJson, resultTable, summaryJson, summaryText } from "../format/fleet.js";
import { type JsonValue, writeJson } from "../format/json-writer.js";
import { parseDuration } from "../grammar/duration.js";
import { addHostOptions, type HostOptions, hostSelector } from "../grammar/host-selector.js";
import type { Words } from "../grammar/words.js";
import type { Verb } from "../verb.js";

interface CallOptions extends HostOptions {
  readonly concurrency?: number;
  readonly hostTimeout?: number;
  readonly allTimeout?: number;
  readonly maxFailures?: number;
}

const METHODS: readonly DescMethod[] = MapService.methods.filter(
  ({ methodKind }) => methodKind !== "bidi_streaming",
);

export const fleetCall: Verb<CallOptions> = {
  name: "call",
  usage: "RPC [REQUEST]...",
  summary: "make a call of MapService on many hosts",
  details:
    "RPC is a name such as GetMap, REQUEST its request as JSON (protobuf's: keys and\n" +
    "values are base64, or by their types in json_keys and elements.json_values).\n" +
    "Several for RPCs that take a stream. Each host decides by its own policy.\n" +
    "Exit code 12 where not all hosts have answered.",
  examples: [
    [`fleet call GetMap '{"map": {"name": "fw_rules"}}'`, "on every host"],
    [`fleet call CountElements '{"map": {"held": "flows"}}' --label zone=a`, "on some"],
    [
      `fleet call ClearMap '{"map": {"held": "flows"}}' --max-failures 0`,
      "until the first one fails",
    ],
  ],
  addOptions: (command) =>
    addHostOptions(command)
      .option("--concurrency <number>", "hosts at a time (default: 64)", wholeNumber)
      .option("--host-timeout <duration>", "for each host (default: 30s)", parseDuration)
      .option("--all-timeout <duration>", "for all: those left are skipped", parseDuration)
      .option("--max-failures <number>", "then no further host is called", wholeNumber),
  complete: (words) => (words.length === 0 ? oneOf(...METHODS.map(({ name }) => name)) : oneOf()),
  async run(context, words, options) {
    const method = takeMethod(words);
    const requests = requestsOf(method, words) as FanOutRequestInit<FanOutRpc>[];
    const { concurrency, hostTimeout, allTimeout, maxFailures } = options;
    const calls = new Fleet(context.client).fanOut(method.localName as FanOutRpc, requests, {
      ...context.call,
      hosts: hostSelector(options),
      ...(concurrency !== undefined && { concurrency }),
      ...(hostTimeout !== undefined && { hostTimeoutMs: hostTimeout }),
      ...(allTimeout !== undefined && { timeoutMs: allTimeout }),
      ...(maxFailures !== undefined && { maxFailures }),
    });
    const results: HostResult<Message>[] = [];
    for await (const event of calls as AsyncIterable<FanOutEvent<Message>>) {
      if (event.kind === "result") results.push(event);
      else await printMessage(context, method, event.hostId, event.response);
    }
    const { summary } = calls;
    if (!summary) throw new CliError("the relay has told no summary");
    await printResults(context, method, results, summary);
    return summary.ok === summary.matched ? undefined : ExitCode.PARTIAL;
  },
};

function takeMethod(words: Words): DescMethod {
  const word = words.next("an RPC, such as GetMap");
  const method = METHODS.find(({ name }) => name.toLowerCase() === word.toLowerCase());
  if (method) return method;
  throw new CliError(`"${word}" is no RPC of MapService that can be made on many hosts`);
}

function requestsOf(method: DescMethod, words: Words): Message[] {
  const requests: Message[] = [];
  do requests.push(requestOf(method, words.done ? "{}" : words.next("a request")));
  while (!words.done);
  return requests;
}

function requestOf(method: DescMethod, text: string): Message {
  try {
    return fromJson(method.input, JSON.parse(text) as ProtoJson);
  } catch (error) {
    throw new CliError(`the request is no ${method.input.name}: ${messageOf(error)}`);
  }
}

/** Of answers that are streams: a line each, as they come. */
async function printMessage(
  context: CliContext,
  method: DescMethod,
  host: string,
  response: Message,
): Promise<void> {
  const answer = answerJson(method, response);
  if (context.json) await context.printJson((json) => writeJson(json, { host, response: answer }));
  else await context.out.write(`${host}: ${JSON.stringify(answer)}\n`);
}

async function printResults(
  context: CliContext,
  method: DescMethod,
  results: readonly HostResult<Message>[],
  summary: Parameters<typeof summaryText>[0],
): Promise<void> {
  const answerOf = ({ response }: HostResult<Message>) =>
    response === undefined ? undefined : answerJson(method, response);
  if (context.json) {
    const all = results.map((result) => resultJson(result, answerOf(result)));
    const document = { results: all, summary: summaryJson(summary) };
    await context.printJson((json) => writeJson(json, document));
    return;
  }
  const textOf = (result: HostResult<unknown>) =>
    JSON.stringify(answerOf(result as HostResult<Message>)) ?? "";
  await context.out.write(resultTable(results, textOf, context.style));
  context.note(summaryText(summary, context.style));
}

function answerJson(method: DescMethod, response: Message): JsonValue {
  return toJson(method.output, response) as JsonValue;
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new CliError(`"${text}" is no whole number`);
}
