import type { BpfmapClient, BpfmapError } from "@bpfmapd/client";
import { Comparison, FieldFold, Format, IncompleteReason } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, test } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { compiledObject, loadedMaps } from "./support/bpf-object.js";
import { dumpChunks, dumpJson } from "./support/typed-dump.js";

let daemon: TestDaemon;
let client: BpfmapClient;
let pins: string[];

beforeAll(async () => {
  daemon = await startDaemon();
  client = daemon.client;
  pins = loadedMaps(compiledObject("kinds", daemon.directory), daemon.bpffs);
  await fill();
  return () => daemon.dispose();
});

const COUNT = 900;
const HUGE = 2n ** 64n - 1n;
const { EQUAL, NOT_EQUAL, LESS, LESS_OR_EQUAL, GREATER, GREATER_OR_EQUAL } = Comparison;

interface Entry {
  readonly dport: number;
  readonly bytes: bigint;
  readonly delta: number;
  readonly verdict: string;
  readonly local: boolean;
}

/** Entry `index` of conntrack. */
function entry(index: number): Entry {
  return {
    dport: index,
    // Some past 2^53, some past 2^63, some equal.
    bytes: index % 3 === 0 ? HUGE - BigInt(index) : BigInt(index % 100) * 10_000_000_000_000n,
    delta: (index % 32) - 16,
    verdict: ["VERDICT_NONE", "VERDICT_PASS", "VERDICT_DROP"][index % 3] ?? "",
    local: index % 7 === 0,
  };
}

const entries = Array.from({ length: COUNT }, (_, index) => entry(index));

async function fill(): Promise<void> {
  const jsonKeys = entries.map(({ dport }) => JSON.stringify({ dport, daddr: dport }));
  const jsonValues = entries.map(({ bytes, delta, verdict, local }) =>
    JSON.stringify({ bytes: String(bytes), delta, verdict, local }),
  );
  await client.maps.updateElements({
    map: refOf("conntrack"),
    elements: { count: COUNT, jsonKeys, jsonValues },
  });
  const counters = Array.from({ length: 50 }, (_, index) => ({
    key: String(index),
    value: JSON.stringify([
      { packets: String(HUGE - BigInt(index)), balance: -index },
      { packets: String(HUGE), balance: 2 * index },
    ]),
  }));
  await client.maps.updateElements({
    map: refOf("counters"),
    elements: {
      count: 50,
      jsonKeys: counters.map(({ key }) => key),
      jsonValues: counters.map(({ value }) => value),
    },
  });
}

function pinOf(name: string): string {
  return pins.find((pin) => pin.endsWith(`/${name}`)) ?? "";
}

function refOf(name: string) {
  return client.map({ pinPath: pinOf(name) }).ref;
}

type Condition = { field: string; comparison: Comparison; jsonValue: string; fold?: FieldFold };

const where = (field: string, comparison: Comparison, jsonValue: string): Condition => ({
  field,
  comparison,
  jsonValue,
});

/** The dport of every chosen entry, ascending. */
async function chosen(...fields: Condition[]): Promise<number[]> {
  const dumped = await dumpJson(client, { pinPath: pinOf("conntrack") }, { filter: { fields } });
  return dumped.map(({ key }) => JSON.parse(key).dport as number).sort((a, b) => a - b);
}

function expected(choose: (entry: Entry) => boolean): number[] {
  return entries.filter(choose).map(({ dport }) => dport);
}

describe("conditions on fields", () => {
  const cases: [Condition[], (entry: Entry) => boolean][] = [
    [[where("value.bytes", GREATER, "1000")], ({ bytes }) => bytes > 1000n],
    [[where("value.bytes", GREATER_OR_EQUAL, `"${HUGE}"`)], ({ bytes }) => bytes >= HUGE],
    [[where("value.bytes", LESS, `${HUGE - 300n}`)], ({ bytes }) => bytes < HUGE - 300n],
    [[where("value.bytes", EQUAL, `${HUGE - 6n}`)], ({ bytes }) => bytes === HUGE - 6n],
    [[where("value.bytes", NOT_EQUAL, "0")], ({ bytes }) => bytes !== 0n],
    [[where("value.delta", LESS, "-3")], ({ delta }) => delta < -3],
    [[where("value.delta", LESS_OR_EQUAL, "0.5")], ({ delta }) => delta <= 0],
    [
      [where("value.verdict", EQUAL, '"VERDICT_DROP"')],
      ({ verdict }) => verdict === "VERDICT_DROP",
    ],
    [[where("value.verdict", GREATER, "2")], ({ verdict }) => verdict === "VERDICT_DROP"],
    [[where("value.local", EQUAL, "true")], ({ local }) => local],
    [[where("key.dport", LESS, "17")], ({ dport }) => dport < 17],
    [[where("key.d6[1]", EQUAL, "2")], ({ dport }) => dport >> 8 === 2],
    [
      [where("key.dport", GREATER, "100"), where("value.delta", EQUAL, "5")],
      ({ dport, delta }) => dport > 100 && delta === 5,
    ],
  ];
  test.each(cases)("%j choose what they say", async (conditions, choose) => {
    const wanted = expected(choose);
    expect(await chosen(...conditions)).toEqual(wanted);
    const filter = { fields: conditions };
    const { count } = await client.maps.countElements({ map: refOf("conntrack"), filter });
    expect(Number(count)).toBe(wanted.length);
  });

  test("hold for dumps in bytes, and beside the other parts of a filter", async () => {
    const request = {
      format: Format.BYTES,
      filter: {
        fields: [where("value.local", EQUAL, "true")],
        keyRange: { end: Buffer.concat([Buffer.from([0x10]), Buffer.alloc(37)]) },
      },
    };
    let count = 0;
    for await (const chunk of dumpChunks(client, { pinPath: pinOf("conntrack") }, request)) {
      expect(chunk.jsonKeys).toHaveLength(0);
      count += chunk.count;
    }
    // The low byte of daddr, which the key begins with, is that of dport.
    expect(count).toBe(expected(({ dport, local }) => local && (dport & 0xff) < 0x10).length);
  });

  test("fold a field of a per-CPU map over the CPUs, without wrapping around", async () => {
    const count = async (condition: Condition) => {
      const filter = { fields: [condition] };
      return Number((await client.maps.countElements({ map: refOf("counters"), filter })).count);
    };
    const packets = where("value.packets", GREATER, String(2n * HUGE - 10n));
    expect(await count(packets)).toBe(10);
    expect(await count({ ...packets, fold: FieldFold.MAX })).toBe(0);
    const least = where("value.packets", LESS, String(HUGE - 39n));
    expect(await count({ ...least, fold: FieldFold.MIN })).toBe(10);
    const balance = where("value.balance", EQUAL, "7");
    expect(await count(balance)).toBe(1);
    expect(await count({ ...balance, jsonValue: "-7", fold: FieldFold.MIN })).toBe(1);
    expect(await count({ ...balance, jsonValue: "14", fold: FieldFold.MAX })).toBe(1);
  });

  test.each([
    [
      "a path to nowhere",
      where("value.octets", EQUAL, "1"),
      /struct entry \(value\) has no member "octets"; it has packets, bytes/,
    ],
    [
      "a path that begins elsewhere",
      where("bytes", EQUAL, "1"),
      /does not begin with "key" or "value"/,
    ],
    ["no path", where("value..bytes", EQUAL, "1"), /is no path of a field, from character 5 on/],
    ["a struct", where("value", EQUAL, "1"), /value is struct entry, no number/],
    ["an array", where("key.d6", EQUAL, "1"), /key\.d6 is an array of __u8, no number/],
    [
      "an index past the end",
      where("key.d6[16]", EQUAL, "1"),
      /key\.d6 has 16 elements, there is none at 16/,
    ],
    [
      "a constant of another kind",
      where("value.bytes", EQUAL, '"many"'),
      /"many" is no constant to compare __u64 with/,
    ],
    ["a constant that is no JSON", where("value.bytes", EQUAL, "many"), /not JSON/],
  ])("refuse %s", async (_what, condition, message) => {
    const error = await chosen(condition).then(
      () => expect.fail("it was not refused"),
      (thrown: BpfmapError) => thrown,
    );
    expect(error.reason).toBe("FIELD_INVALID");
    expect(error.violations[0]?.field).toMatch(/^filter\.fields\[0\]\.(field|json_value)$/);
    expect(error.violations[0]?.description).toMatch(message);
  });
});

describe("aggregates", () => {
  test("fold a field by its path, and tell keys by their types", async () => {
    const all = expected(() => true);
    const { totals, top, elements } = await client
      .map({ pinPath: pinOf("conntrack") })
      .aggregate(["value.bytes", { path: "value.delta", histogram: true }], {
        top: { limit: 3, jsonKeys: true },
      });
    expect(Number(elements)).toBe(all.length);
    const rows = entries.map(({ bytes }) => bytes).sort((a, b) => (a > b ? -1 : 1));
    expect(totals[0]).toMatchObject({
      sum: rows.reduce((sum, bytes) => sum + bytes, 0n),
      min: rows.at(-1),
      max: rows[0],
    });
    const negative = entries.filter(({ delta }) => delta < 0).length;
    expect(Number(totals[1]!.histogram!.negative)).toBe(negative);
    expect(top!.keys.map(({ number }) => number)).toEqual(rows.slice(0, 3));
    expect(JSON.parse(top!.keys[0]!.json!)).toHaveProperty("dport");
    expect(top!.othersMax).toBe(rows[3]);
  });

  test.each([
    ["value.octets", /has no member "octets"/],
    ["value", /is struct .*, no number/],
  ])("refuse %s, which is no number", async (path, message) => {
    const call = client.map({ pinPath: pinOf("conntrack") }).aggregate([path]);
    await expect(call).rejects.toMatchObject({
      reason: "FIELD_INVALID",
      violations: [{ field: "fields[0].path" }],
      message: expect.stringMatching(message),
    });
  });
});

describe("an order", () => {
  test.each([true, false])("sends the first elements, descending: %s", async (descending) => {
    const order = { field: "value.bytes", descending, limit: 25 };
    const dumped = await dumpJson(client, { pinPath: pinOf("conntrack") }, { order });
    const sorted = [...entries].sort((a, b) => {
      if (a.bytes !== b.bytes) return a.bytes < b.bytes === descending ? 1 : -1;
      return Buffer.compare(keyOf(a), keyOf(b));
    });
    expect(dumped.map(({ key }) => JSON.parse(key).dport)).toEqual(
      sorted.slice(0, 25).map(({ dport }) => dport),
    );
  });

  test("goes beside a filter, in bytes, and says that nothing was left out", async () => {
    const request = {
      map: refOf("conntrack"),
      filter: { fields: [where("value.local", EQUAL, "true")] },
      order: { field: "key.dport", descending: true, limit: 3 },
    };
    const dports: number[] = [];
    for await (const { kind } of client.maps.dumpMap(request)) {
      if (kind.case === "elements") {
        const keys = Buffer.from(kind.value.keys);
        for (let index = 0; index < kind.value.count; index++) {
          dports.push(keys.readUInt16LE(index * 38 + 32));
        }
      }
      if (kind.case !== "summary") continue;
      expect(kind.value).toMatchObject({
        sent: 3n,
        scanned: BigInt(COUNT),
        complete: true,
        incompleteReason: IncompleteReason.UNSPECIFIED,
      });
    }
    expect(dports).toEqual(
      expected(({ local }) => local)
        .slice(-3)
        .reverse(),
    );
  });

  test("folds a field of a per-CPU map", async () => {
    const order = { field: "value.balance", limit: 3, fold: FieldFold.MIN };
    const dumped = await dumpJson(client, { pinPath: pinOf("counters") }, { order });
    expect(dumped.map(({ key }) => key)).toEqual(['"49"', '"48"', '"47"']);
  });

  test("of more elements than there are sends all", async () => {
    const order = { field: "key", limit: 100_000 };
    const dumped = await dumpJson(client, { pinPath: pinOf("counters") }, { order });
    expect(dumped.map(({ key }) => Number(JSON.parse(key)))).toEqual(
      Array.from({ length: 50 }, (_, index) => index),
    );
  });
});

/** The key of an entry: daddr, and dport behind both addresses. */
function keyOf({ dport }: Entry): Buffer {
  const key = Buffer.alloc(38);
  key.writeUInt32LE(dport, 0);
  key.writeUInt16LE(dport, 32);
  return key;
}
