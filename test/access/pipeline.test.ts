import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BpfmapError } from "@bpfmapd/client";
import type { PipelineRequestSchema, PipelineResponse } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../daemon/support/run.js";
import { guardedDaemon, KEY, stageMap, VALUE } from "./support/guarded-daemon.js";

type Call = MessageInitShape<typeof PipelineRequestSchema>;

test("each call on a pipeline is let in, denied and audited by itself", async () => {
  const audit = join(temporaryDirectory(), "audit.jsonl");
  const guarded = await guardedDaemon(
    [
      { who: "reader", verbs: ["read"], maps: "all" },
      { who: "deleter", verbs: ["delete"], maps: "all" },
    ],
    { args: ["--audit-file", audit] },
  );
  onTestFinished(() => guarded.dispose());
  const map = await stageMap(guarded, "pl_");
  const ref = { ref: { case: "id" as const, value: map.id } };
  const one = { map: ref, keys: KEY, count: 1 };
  const calls: Call[] = [
    { call: { case: "lookupElements", value: one } },
    {
      call: {
        case: "updateElements",
        value: { map: ref, elements: { keys: KEY, values: VALUE, count: 1 } },
      },
    },
    { call: { case: "takeElements", value: one } },
    { call: { case: "deleteElements", value: one } },
  ];
  const outcomes = async (who: string) => {
    const client = await guarded.as(who);
    const answers: PipelineResponse[] = [];
    for await (const answer of client.maps.pipeline(
      (async function* () {
        yield* calls;
      })(),
    )) {
      answers.push(answer);
    }
    return answers.map(({ answer }) =>
      answer.case === "error" ? BpfmapError.fromStatus(answer.value).reason : "OK",
    );
  };
  const DENIED = "ACCESS_DENIED";
  expect(await outcomes("reader")).toEqual(["OK", DENIED, DENIED, DENIED]);
  expect(await outcomes("deleter")).toEqual([DENIED, DENIED, DENIED, "OK"]);
  const lines = readFileSync(audit, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const told = lines
    .filter(({ rpc, caller }) => rpc?.endsWith("Elements") && !caller.includes("admin"))
    .map(({ caller, rpc, outcome }) => `${caller} ${rpc.split("/")[1]} ${outcome}`);
  expect(told).toEqual([
    "token of reader UpdateElements denied",
    "token of reader TakeElements denied",
    "token of reader DeleteElements denied",
    "token of deleter LookupElements denied",
    "token of deleter UpdateElements denied",
    "token of deleter TakeElements denied",
    "token of deleter DeleteElements OK",
  ]);
});

test("a call on a pipeline that is open goes by the policy of now", async () => {
  const guarded = await guardedDaemon([{ who: "reader", verbs: ["read"], maps: "all" }]);
  onTestFinished(() => guarded.dispose());
  const map = await stageMap(guarded, "pl_");
  const call: Call = {
    call: {
      case: "lookupElements",
      value: { map: { ref: { case: "id", value: map.id } }, keys: KEY, count: 1 },
    },
  };
  const client = await guarded.as("reader");
  let ask = () => {};
  let isOver = false;
  async function* requests() {
    while (!isOver) {
      yield call;
      await new Promise<void>((resolve) => {
        ask = resolve;
      });
    }
  }
  const answers = client.maps.pipeline(requests())[Symbol.asyncIterator]();
  expect((await answers.next()).value?.answer.case).toBe("lookupElements");
  guarded.setRules([]);
  for (;;) {
    ask();
    const { answer } = (await answers.next()).value as PipelineResponse;
    if (answer.case !== "error") continue;
    expect(BpfmapError.fromStatus(answer.value).reason).toBe("ACCESS_DENIED");
    break;
  }
  isOver = true;
  ask();
  expect((await answers.next()).done).toBe(true);
});
