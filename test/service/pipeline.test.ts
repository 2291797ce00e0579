import { BpfmapError, status } from "@bpfmapd/client";
import type {
  PipelineRequest,
  PipelineRequestSchema,
  PipelineResponse,
} from "@bpfmapd/client/proto";
import { OnError, UpdateMode } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { scrape } from "../daemon/support/scrape.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { hex, u32, u64 } from "./support/elements.js";
import { makeMap, shapeOf } from "./support/plain-map.js";

type Call = Exclude<MessageInitShape<typeof PipelineRequestSchema>, PipelineRequest>;
type CallKind = NonNullable<Call["call"]>;

async function* all(calls: Iterable<Call>): AsyncGenerator<Call> {
  yield* calls;
}

async function answersTo(daemon: TestDaemon, calls: readonly Call[]): Promise<PipelineResponse[]> {
  const answers: PipelineResponse[] = [];
  for await (const answer of daemon.client.maps.pipeline(all(calls))) answers.push(answer);
  return answers;
}

/** What a call answers when it is made alone. */
function alone({ client }: TestDaemon, call: CallKind): Promise<unknown> {
  const { maps } = client;
  switch (call.case) {
    case "lookupElements":
      return maps.lookupElements(call.value);
    case "updateElements":
      return maps.updateElements(call.value);
    case "deleteElements":
      return maps.deleteElements(call.value);
    case "takeElements":
      return maps.takeElements(call.value);
    default:
      throw new Error("no call");
  }
}

/** An error without what tells one map from another. */
function facts({ code, reason, violations, message }: BpfmapError): object {
  return { code, reason, violations, message: message.replace(/map \d+ "\w+"/g, "the map") };
}

test("every call is answered as it is when it is made alone, also where it fails", async () => {
  const daemon = await startDaemon();
  const [one, other] = [
    await makeMap(daemon, shapeOf("HASH", { maxEntries: 2 })),
    await makeMap(daemon, shapeOf("HASH", { maxEntries: 2 })),
  ];
  const keys = (...numbers: number[]) => ({
    keys: Buffer.concat(numbers.map(u32)),
    count: numbers.length,
  });
  const elements = (...numbers: number[]) => ({
    ...keys(...numbers),
    values: Buffer.concat(numbers.map((number) => u64(number * 10))),
  });
  const callsOf = (id: number): CallKind[] => {
    const map = { ref: { case: "id" as const, value: id } };
    const gone = { ref: { case: "id" as const, value: 0x7fff_ffff } };
    return [
      { case: "updateElements", value: { map, elements: elements(1) } },
      { case: "updateElements", value: { map, elements: elements(1), mode: UpdateMode.NOEXIST } },
      { case: "lookupElements", value: { map, ...keys(1) } },
      { case: "lookupElements", value: { map, ...keys(7) } },
      { case: "lookupElements", value: { map, ...keys(7, 1), onError: OnError.CONTINUE } },
      { case: "lookupElements", value: { map, keys: u32(1), count: 2 } },
      { case: "lookupElements", value: { map, keys: u32(1), count: 0 } },
      { case: "lookupElements", value: { ...keys(1) } },
      { case: "lookupElements", value: { map: gone, ...keys(1) } },
      { case: "updateElements", value: { map, elements: elements(2, 3) } },
      { case: "takeElements", value: { map, ...keys(2) } },
      { case: "deleteElements", value: { map, ...keys(2) } },
      { case: "deleteElements", value: { map, ...keys(1, 2), onError: OnError.CONTINUE } },
    ];
  };
  const answers = await answersTo(
    daemon,
    callsOf(one.id).map((call) => ({ call })),
  );
  const expected = callsOf(other.id);
  expect(answers).toHaveLength(expected.length);
  for (const [index, call] of expected.entries()) {
    const { answer } = answers[index]!;
    const told = await alone(daemon, call).catch((error) => BpfmapError.from(error));
    if (told instanceof BpfmapError) {
      expect(answer.case, `call ${index}`).toBe("error");
      const error = BpfmapError.fromStatus(answer.value as Uint8Array);
      expect(facts(error)).toEqual(facts(told));
    } else {
      expect(answer, `call ${index}`).toMatchObject({ case: call.case, value: told });
    }
  }
});

test("calls that are sent before the first is answered are done and answered in their order", async () => {
  const daemon = await startDaemon();
  const { id } = await makeMap(daemon, shapeOf("HASH"));
  const map = { ref: { case: "id" as const, value: id } };
  const calls = Array.from({ length: 2000 }, (_, round): Call[] => [
    {
      call: {
        case: "updateElements",
        value: { map, elements: { count: 1, keys: u32(1), values: u64(round) } },
      },
    },
    { call: { case: "lookupElements", value: { map, keys: u32(1), count: 1 } } },
  ]).flat();
  const answers = await answersTo(daemon, calls);
  const values = answers.flatMap(({ answer }) =>
    answer.case === "lookupElements" ? [hex(answer.value.elements!.values)] : [],
  );
  expect(values).toEqual(Array.from({ length: 2000 }, (_, round) => hex(u64(round))));
  expect(answers).toHaveLength(calls.length);
});

test("answers of any size come whole", async () => {
  const daemon = await startDaemon();
  const { id, handle } = await makeMap(daemon, shapeOf("HASH", { valueSize: 60_000 }));
  for (let key = 0; key < 10; key++) await handle.update(u32(key), Buffer.alloc(60_000, key));
  const map = { ref: { case: "id" as const, value: id } };
  const lookup = (count: number): Call => {
    const keys = Buffer.concat(Array.from({ length: count }, (_, key) => u32(key)));
    return { call: { case: "lookupElements", value: { map, keys, count } } };
  };
  const counts = Array.from({ length: 60 }, (_, index) => 1 + (index % 10));
  const answers = await answersTo(daemon, counts.map(lookup));
  const sizes = answers.map(({ answer }) =>
    answer.case === "lookupElements" ? answer.value.elements!.values.length : 0,
  );
  expect(sizes).toEqual(counts.map((count) => count * 60_000));
});

test("a message without a call is refused by itself", async () => {
  const daemon = await startDaemon();
  const { id } = await makeMap(daemon, shapeOf("HASH"));
  const map = { ref: { case: "id" as const, value: id } };
  const answers = await answersTo(daemon, [
    {},
    { call: { case: "deleteElements", value: { map, keys: u32(1), count: 1, onError: 2 } } },
  ]);
  expect(answers.map(({ answer }) => answer.case)).toEqual(["error", "deleteElements"]);
  const error = BpfmapError.fromStatus(answers[0]!.answer.value as Uint8Array);
  expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, reason: "FIELD_INVALID" });
  expect(error.violations.map(({ field }) => field)).toEqual(["call"]);
});

test("a pipeline ends with UNAVAILABLE when the daemon stops", async () => {
  const daemon = await startDaemon();
  let stop = () => {};
  async function* never(): AsyncGenerator<Call> {
    yield {};
    await new Promise<void>((resolve) => {
      stop = resolve;
    });
  }
  const answers = daemon.client.maps.pipeline(never());
  expect((await answers.next()).done).toBe(false);
  const ended = answers.next().then(
    () => expect.fail("it did not end"),
    (error) => BpfmapError.from(error),
  );
  await daemon.stop();
  expect(await ended).toMatchObject({ code: status.UNAVAILABLE, reason: "DAEMON_STOPPING" });
  stop();
});

test("its calls are counted as those of their RPCs", async () => {
  const daemon = await startDaemon({ args: ["--metrics-listen", "127.0.0.1:0"] });
  const { id } = await makeMap(daemon, shapeOf("HASH"));
  const map = { ref: { case: "id" as const, value: id } };
  const lookup: Call = {
    call: { case: "lookupElements", value: { map, keys: u32(1), count: 1 } },
  };
  await answersTo(daemon, [lookup, lookup, lookup]);
  const metrics = await scrape(daemon);
  const calls = (method: string, code: string) => {
    const labels = { service: "bpfmap.v1.MapService", method, code };
    return metrics.value("bpfmapd_rpc_calls_total", labels);
  };
  expect(calls("LookupElements", "NOT_FOUND")).toBe(3);
  expect(calls("Pipeline", "OK")).toBe(1);
});
