import type { AggregateRequestSchema, AggregateResponse } from "@bpfmapd/client/proto";
import { MapType, NumberType, StatusSchema } from "@bpfmapd/client/proto";
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, it } from "vitest";
import type { TestDaemon } from "../../support/daemon.js";
import { startHost, startRelay, untilConnected } from "../support/fleet.js";
import { count, HELD_REF, keyOf, makeCounters } from "../support/fleet-maps.js";

type Request = Omit<MessageInitShape<typeof AggregateRequestSchema>, "$typeName" | "$unknown">;

const FIELDS = [
  { field: { case: "raw" as const, value: { type: NumberType.U64 } }, histogram: true },
];

function aggregate(relay: TestDaemon, request: Partial<Request> = {}, top?: { limit: number }) {
  return relay.client.fleet.aggregate({
    selector: {},
    elements: { map: HELD_REF, fields: FIELDS, ...(top && { top }) },
    ...request,
  });
}

async function once(
  relay: TestDaemon,
  request: Partial<Request> = {},
  top?: { limit: number },
): Promise<AggregateResponse> {
  const answers: AggregateResponse[] = [];
  for await (const answer of aggregate(relay, request, top)) answers.push(answer);
  expect(answers).toHaveLength(1);
  return answers[0]!;
}

describe("Aggregate over three hosts", () => {
  let relay: TestDaemon;
  let hosts: TestDaemon[];

  beforeAll(async () => {
    relay = await startRelay("relay-1");
    hosts = [
      await startHost("host-a", [relay], { args: ["--label", "zone=a"] }),
      await startHost("host-b", [relay], { args: ["--label", "zone=b"] }),
      await startHost("host-c", [relay], { args: ["--label", "zone=b"] }),
    ];
    await untilConnected(relay, "host-a", "host-b", "host-c");
    for (const host of hosts) await makeCounters(host);
    const MOST = 2n ** 64n - 1n;
    await count(hosts[0]!, { 1: MOST, 2: 5, 3: 1 });
    await count(hosts[1]!, { 1: MOST, 3: 4, 4: 3 });
    await count(hosts[2]!, { 1: 0, 2: 6, 4: 2 });
    return () => Promise.all([...hosts, relay].map((each) => each.dispose()));
  });

  it("folds all elements of all hosts, past 64 bits, and tells of how many hosts", async () => {
    const before = Date.now();
    const answer = await once(relay);
    expect(answer).toMatchObject({
      coverage: { matched: 3, answered: 3, failed: 0, unreachable: 0, incomplete: 0, failures: [] },
      elements: 9n,
      totals: [
        {
          count: 9n,
          sum: String(2n * (2n ** 64n - 1n) + 21n),
          min: "0",
          max: String(2n ** 64n - 1n),
        },
      ],
      steps: [],
      hosts: [],
    });
    expect(answer.totals[0]!.histogram!.buckets.slice(0, 4)).toEqual([1n, 1n, 2n, 3n]);
    expect(timestampMs(answer.oldestSample!)).toBeGreaterThanOrEqual(before);
    expect(timestampMs(answer.newestSample!)).toBeLessThanOrEqual(Date.now());
  });

  it("tells the keys that have most, exactly where hosts tell all", async () => {
    const { top } = await once(relay, {}, { limit: 2 });
    expect(top!.keys.map(({ key, ...sum }) => ({ key: keyOf(key), ...sum }))).toMatchObject([
      {
        key: 1,
        atLeast: String(2n * (2n ** 64n - 1n)),
        atMost: String(2n * (2n ** 64n - 1n)),
        hosts: 3,
      },
      { key: 2, atLeast: "11", atMost: "11", hosts: 2 },
    ]);
    expect(top!.othersMax).toBe("5");
  });

  it("bounds keys that hosts do not tell", async () => {
    const { top } = await once(relay, { keysPerHost: 1 }, { limit: 3 });
    // host-c tells 2 alone: 6, others 2; a and b tell 1, others 5 and 4.
    expect(top!.keys.map(({ key, ...sum }) => ({ key: keyOf(key), ...sum }))).toMatchObject([
      { key: 1, hosts: 2, atMost: String(2n * (2n ** 64n - 1n) + 2n) },
      { key: 2, hosts: 1, atLeast: "6", atMost: "15" },
    ]);
    expect(top!.othersMax).toBe("11");
  });

  it("folds only hosts that match, and tells each where asked for", async () => {
    const selector = { labels: { zone: "b" } };
    const { totals, coverage, hosts: told } = await once(relay, { selector, perHost: true });
    expect(coverage).toMatchObject({ matched: 2, answered: 2 });
    expect(totals[0]).toMatchObject({ sum: String(2n ** 64n - 1n + 15n) });
    expect(told.map(({ hostId, totals: [own] }) => [hostId, own!.sum])).toEqual([
      ["host-b", String(2n ** 64n - 1n + 7n)],
      ["host-c", "8"],
    ]);
  });

  it("tells of hosts that refuse why, and folds the others", async () => {
    await hosts[1]!.client.maps.holdMap({ map: HELD_REF, hold: { name: "only-here" } });
    const map = { ref: { case: "held" as const, value: "only-here" } };
    const { coverage, totals } = await once(relay, { elements: { map, fields: FIELDS } });
    expect(coverage).toMatchObject({ matched: 3, answered: 1, failed: 2, unreachable: 0 });
    expect(coverage!.failures.map(({ hostId }) => hostId)).toEqual(["host-a", "host-c"]);
    const { code, message } = fromBinary(StatusSchema, coverage!.failures[0]!.error);
    expect([code, message]).toEqual([5, expect.stringContaining("only-here")]);
    expect(totals[0]).toMatchObject({ count: 3n });
  });

  it("tells of hosts that cannot be reached", async () => {
    const selector = { hostIds: ["host-a", "no-such-host"] };
    const { coverage } = await once(relay, { selector });
    expect(coverage).toMatchObject({ matched: 2, answered: 1, failed: 0, unreachable: 1 });
    expect(coverage!.failures[0]).toMatchObject({ hostId: "no-such-host" });
  });

  it("refuses a selector that matches nothing, and a request that no host could answer", async () => {
    const selector = { labels: { zone: "nowhere" } };
    await expect(once(relay, { selector })).rejects.toMatchObject({ reason: "NO_HOST_MATCHES" });
    const elements = { map: HELD_REF, fields: FIELDS, top: { field: 1, limit: 1 } };
    await expect(once(relay, { elements })).rejects.toMatchObject({ reason: "FIELD_INVALID" });
  });
});

it("tells what was counted between answers, and that a map was made anew, on real maps", async () => {
  const relay = await startRelay("relay-1");
  const [stays, remakes] = [
    await startHost("stays", [relay]),
    await startHost("remakes", [relay]),
  ] as const;
  await untilConnected(relay, "stays", "remakes");
  await makeCounters(stays, MapType.PERCPU_ARRAY);
  await makeCounters(remakes);
  await count(stays, { 0: 100 }, true);
  await count(remakes, { 1: 1000, 2: 50 });
  const cpus = (await stays.client.map({ held: "counters" }).get()).cpus.length;

  const rounds = aggregate(relay, { interval: { nanos: 100_000_000 } })[Symbol.asyncIterator]();
  const next = async () => (await rounds.next()).value as AggregateResponse;
  const until = async (isRight: (answer: AggregateResponse) => boolean) => {
    for (;;) {
      const answer = await next();
      if (isRight(answer)) return answer;
    }
  };
  expect((await next()).steps).toEqual([]);

  await count(stays, { 0: 130 }, true);
  // A round may fall between the slots of two CPUs.
  for (let counted = 0; counted < 30 * cpus; ) {
    const { steps } = await until(({ steps: [step] }) => step!.by !== "0");
    expect(steps).toMatchObject([{ hosts: 2, resets: 0, fell: 0 }]);
    expect(steps[0]!.perSecond).toBeGreaterThan(0);
    counted += Number(steps[0]!.by);
    expect(counted).toBeLessThanOrEqual(30 * cpus);
  }

  await remakes.client.maps.deleteElements({ map: HELD_REF, count: 1, keys: u32(1) });
  expect((await until(({ steps }) => steps[0]!.fell > 0)).steps).toMatchObject([
    { by: "0", hosts: 2, resets: 0, fell: 1 },
  ]);

  await remakes.client.maps.releaseMap({ name: "counters" });
  // While it is not there, it has no part; then it is compared with what it was before.
  await until(({ coverage }) => coverage!.answered === 1);
  await makeCounters(remakes);
  expect((await until(({ steps }) => steps[0]!.resets > 0)).steps).toMatchObject([
    { by: "0", hosts: 2, resets: 1, fell: 0 },
  ]);
  await rounds.return?.();
});

function u32(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
}
