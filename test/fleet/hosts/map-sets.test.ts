import { DriftAction, type Elements, MapType, Ownership } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, it } from "vitest";
import { bpftoolDump } from "../../maps/support/bpftool.js";
import { startDaemon, type TestDaemon } from "../../support/daemon.js";
import { contentsOf, elementsOf, numbers, patchOf } from "../sets-contract/fixture.ts";
import { OWN_MEMORY, OWN_STORE, startHost, startRelay, untilConnected } from "../support/fleet.js";
import { holdMap, putSet, specFor, untilApplied, untilStatus } from "../support/map-sets.ts";

/** As bpftool has the numbers of a set. */
function dumped(contents: Iterable<readonly [number, number]>): Map<string, string> {
  const hex = (number: number) => number.toString(16).padStart(8, "0");
  return new Map([...contents].map(([key, value]) => [hex(key), hex(value)]));
}

function removed(...keys: number[]) {
  const { removals } = patchOf([], keys);
  return { removedKeys: removals!.keys, removedCount: removals!.count };
}

async function readSet(relay: TestDaemon, name: string, generation = 0n) {
  const chunks: Elements[] = [];
  const { fleet } = relay.client;
  for await (const { kind } of fleet.getMapSet({ name, generation })) {
    if (kind.case === "elements") chunks.push(kind.value);
  }
  return contentsOf(chunks);
}

const VERIFY = ["--fleet-verify-ms", "300"];

describe("a map set", () => {
  let relay: TestDaemon;
  let hosts: TestDaemon[];

  beforeAll(async () => {
    relay = await startRelay("relay-1");
    hosts = await Promise.all(
      ["a", "b", "c"].map((zone) =>
        startHost(`host-${zone}`, [relay], { args: ["--label", `zone=${zone}`, ...VERIFY] }),
      ),
    );
    await untilConnected(relay, "host-a", "host-b", "host-c");
    return () => Promise.all([...hosts, relay].map((daemon) => daemon.dispose()));
  });

  it("is on every host that it is for, whole, and follows patches", async () => {
    const ids = await Promise.all(hosts.map((host) => holdMap(host, "routes")));
    const contents = new Map(numbers(0, 30_000, (key) => key * 2));
    const { mapSet, newGeneration } = await putSet(relay, "routes", specFor("routes"), contents);
    expect(newGeneration).toBe(true);
    expect(mapSet).toMatchObject({ name: "routes", generation: 1n, elementCount: 30_000n });
    const { hosts: told } = await untilApplied(relay, "routes", 1n, 3);
    for (const id of ids) expect(bpftoolDump(id)).toEqual(dumped(contents));
    expect(told.get("host-b")).toMatchObject({ digest: mapSet?.digest, errorReason: "" });
    const patched = await relay.client.fleet.patchMapSet({
      name: "routes",
      expectedGeneration: 1n,
      puts: elementsOf([
        [5, 1],
        [30_000, 3],
      ]) as Elements,
      ...removed(7, 99_999),
    });
    expect(patched).toMatchObject({ added: 1n, changed: 1n, removed: 1n, unchanged: 1n });
    await untilApplied(relay, "routes", 2n, 3);
    contents.set(5, 1).set(30_000, 3).delete(7);
    for (const id of ids) expect(bpftoolDump(id)).toEqual(dumped(contents));
    expect(await readSet(relay, "routes")).toEqual(contents);
    expect((await readSet(relay, "routes", 1n)).get(7)).toBe(14);
  });

  it("is on no other host, and leaves what it has put where it is for others now", async () => {
    const ids = await Promise.all(hosts.map((host) => holdMap(host, "zoned")));
    const spec = specFor("zoned", { selector: { labels: { zone: "a" } } });
    await putSet(relay, "zoned", spec, numbers(0, 10));
    await untilApplied(relay, "zoned", 1n, 1);
    expect(ids.map((id) => bpftoolDump(id).size)).toEqual([10, 0, 0]);
    const selector = { labels: { zone: "b" } };
    await relay.client.fleet.patchMapSet({ name: "zoned", selector });
    const { hosts: told } = await untilApplied(relay, "zoned", 2n, 1);
    expect([...told.keys()]).toEqual(["host-b"]);
    expect(ids.map((id) => bpftoolDump(id).size)).toEqual([10, 10, 0]);
  });

  it("tells of a host whose map is too small for it, and fills the others", async () => {
    const sizes = [100, 10, 100];
    const ids = await Promise.all(
      hosts.map((host, index) => holdMap(host, "small", { maxEntries: sizes[index]! })),
    );
    await putSet(relay, "small", specFor("small"), numbers(0, 5));
    await untilApplied(relay, "small", 1n, 3);
    await putSet(relay, "small", specFor("small"), numbers(100, 111));
    const { hosts: told, totals } = await untilStatus(
      relay,
      "small",
      ({ totals: { applied, failed, generation } }) =>
        generation === 2n && applied === 2 && failed === 1,
    );
    expect(totals).toMatchObject({ hosts: 3, unreachable: 0 });
    expect(told.get("host-b")).toMatchObject({
      ...{ wantedGeneration: 2n, appliedGeneration: 1n, errorReason: "MAP_SET_UNFIT" },
      errorMessage: expect.stringMatching(/has 11 elements, map small \(id \d+\) has room for 10/),
    });
    expect(ids.map((id) => bpftoolDump(id))).toEqual([
      dumped(numbers(100, 111)),
      dumped(numbers(0, 5)),
      dumped(numbers(100, 111)),
    ]);
  });

  it("waits for a map, and is in it once it is there; or makes it", async () => {
    await putSet(relay, "late", specFor("late"), numbers(0, 5));
    const { hosts: told } = await untilStatus(relay, "late", ({ totals }) => totals.failed === 3);
    expect(told.get("host-a")).toMatchObject({ errorReason: "HOLD_NOT_FOUND" });
    const id = await holdMap(hosts[0]!, "late");
    await untilStatus(relay, "late", ({ totals }) => totals.applied === 1);
    expect(bpftoolDump(id)).toEqual(dumped(numbers(0, 5)));
    const target = {
      map: { ref: { case: "held" as const, value: "late" } },
      create: {
        spec: { type: MapType.HASH, name: "late", keySize: 4, valueSize: 4, maxEntries: 50 },
        hold: { name: "late" },
      },
    };
    await putSet(relay, "late", specFor("late", { target }), numbers(0, 6));
    await untilApplied(relay, "late", 2n, 3);
    const { map } = await hosts[2]!.client.maps.getMap({
      map: { ref: { case: "held", value: "late" } },
    });
    expect(bpftoolDump(map!.id)).toEqual(dumped(numbers(0, 6)));
  });

  it("repairs what others change, or only tells", async () => {
    const id = await holdMap(hosts[0]!, "drifting");
    const spec = specFor("drifting", { selector: { hostIds: ["host-a"] } });
    await putSet(relay, "drifting", spec, numbers(0, 10));
    await untilApplied(relay, "drifting", 1n, 1);
    const map = { ref: { case: "id" as const, value: id } };
    const elements = elementsOf([
      [3, 33],
      [77, 7],
    ]) as Elements;
    await hosts[0]!.client.maps.updateElements({ map, elements });
    const repaired = await untilStatus(
      relay,
      "drifting",
      ({ hosts: told }) => (told.get("host-a")?.drifts ?? 0n) > 0n,
    );
    expect(repaired.hosts.get("host-a")).toMatchObject({
      lastDrift: { missing: 0n, changed: 1n, extra: 1n },
      difference: { missing: 0n, changed: 0n, extra: 0n },
    });
    expect(bpftoolDump(id)).toEqual(dumped(numbers(0, 10)));
    await relay.client.fleet.patchMapSet({ name: "drifting", drift: DriftAction.REPORT });
    await untilApplied(relay, "drifting", 2n, 1);
    await hosts[0]!.client.maps.updateElements({ map, elements });
    const { hosts: told } = await untilStatus(
      relay,
      "drifting",
      ({ totals }) => totals.drifted === 1,
    );
    expect(told.get("host-a")?.difference).toMatchObject({ changed: 1n, extra: 1n });
    expect(bpftoolDump(id).size).toBe(11);
  });

  it("takes back its own elements and no others, also after its host was killed", async () => {
    const id = await holdMap(hosts[1]!, "merged");
    const map = { ref: { case: "id" as const, value: id } };
    await hosts[1]!.client.maps.updateElements({
      map,
      elements: elementsOf([[1000, 1]]) as Elements,
    });
    const spec = specFor("merged", {
      selector: { hostIds: ["host-b"] },
      ownership: Ownership.MERGE,
    });
    await putSet(relay, "merged", spec, numbers(0, 10));
    await untilApplied(relay, "merged", 1n, 1);
    await hosts[1]!.kill();
    await putSet(relay, "merged", spec, numbers(8, 12));
    await hosts[1]!.restart();
    await untilApplied(relay, "merged", 2n, 1);
    expect(bpftoolDump(id)).toEqual(dumped([...numbers(8, 12), [1000, 1]]));
  });

  it("of two controllers on one generation one wins, and the other is told which it is at", async () => {
    await putSet(relay, "raced", specFor("raced"), []);
    const races = await Promise.allSettled(
      [1, 2, 3].map((value) =>
        putSet(
          relay,
          "raced",
          specFor("raced"),
          numbers(0, 10, () => value),
          1n,
        ),
      ),
    );
    const lost = races.flatMap((race) => (race.status === "rejected" ? [race.reason] : []));
    expect(lost).toHaveLength(2);
    for (const error of lost) {
      expect(error).toMatchObject({
        code: 10,
        reason: "GENERATION_CONFLICT",
        metadata: { generation: "2" },
      });
    }
  });

  it("is listed in pages, and gone when it is deleted; its elements stay", async () => {
    const id = await holdMap(hosts[0]!, "gone");
    await putSet(
      relay,
      "gone",
      specFor("gone", { selector: { hostIds: ["host-a"] } }),
      numbers(0, 3),
    );
    await untilApplied(relay, "gone", 1n, 1);
    const watch = untilStatus(relay, "gone", () => false).catch((error) => error);
    const names: string[] = [];
    for (let pageToken = ""; ; ) {
      const page = await relay.client.fleet.listMapSets({ pageSize: 2, pageToken });
      names.push(...page.mapSets.map(({ name }) => name));
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    expect(names).toEqual([...names].sort());
    expect(names).toContain("gone");
    const conflict = relay.client.fleet.deleteMapSet({ name: "gone", expectedGeneration: 7n });
    await expect(conflict).rejects.toMatchObject({ reason: "GENERATION_CONFLICT" });
    await relay.client.fleet.deleteMapSet({ name: "gone" });
    expect((await watch).message).toContain('there is no map set "gone"');
    await expect(readSet(relay, "gone")).rejects.toMatchObject({ reason: "MAP_SET_NOT_FOUND" });
    expect(bpftoolDump(id)).toEqual(dumped(numbers(0, 3)));
  });

  it.each([
    [
      "an id for a map",
      { target: { map: { ref: { case: "id" as const, value: 7 } } } },
      "start.spec.target",
    ],
    ["no keys", { keySize: 0 }, "start.spec.key_size"],
    ["elements of a megabyte", { valueSize: 2 ** 20 }, "value_size"],
  ])("with %s is refused", async (_, more, field) => {
    await expect(putSet(relay, "bad", specFor("bad", more), [])).rejects.toMatchObject({
      reason: "FIELD_INVALID",
      violations: [{ field }],
    });
  });

  it.each(["%", Buffer.from("ä").toString("base64url"), Buffer.from("~~").toString("base64url")])(
    "refuses %s as a page's token",
    async (pageToken) => {
      await expect(relay.client.fleet.listMapSets({ pageToken })).rejects.toMatchObject({
        reason: "FIELD_INVALID",
        violations: [{ field: "page_token" }],
      });
    },
  );

  it("with a key that comes twice is refused whole", async () => {
    const twice = putSet(relay, "bad", specFor("bad"), [
      [1, 1],
      [1, 2],
    ]);
    await expect(twice).rejects.toMatchObject({ reason: "FIELD_INVALID" });
    await expect(twice).rejects.toThrow("key 00000001 is given twice");
    await expect(relay.client.fleet.deleteMapSet({ name: "bad" })).rejects.toMatchObject({
      reason: "MAP_SET_NOT_FOUND",
    });
  });
});

it("reaches hosts that were away, and is kept by them while their relay is", async () => {
  const relay = await startRelay("relay-1");
  const host = await startHost("host-a", [relay], { args: VERIFY });
  await untilConnected(relay, "host-a");
  const id = await holdMap(host, "m");
  await putSet(relay, "s", specFor("m"), numbers(0, 100));
  await untilApplied(relay, "s", 1n, 1);
  await relay.kill();
  const map = { ref: { case: "id" as const, value: id } };
  await host.client.maps.deleteElements({ map, keys: elementsOf([[5, 0]]).keys, count: 1 });
  await expect.poll(() => bpftoolDump(id).size, { timeout: 10_000 }).toBe(100);
  await host.kill();
  await relay.restart();
  await putSet(relay, "s", specFor("m"), numbers(50, 200));
  const { totals } = await untilStatus(relay, "s", (set) => set.totals.unreachable === 1);
  expect(totals).toMatchObject({ generation: 2n, hosts: 1, applied: 0, unreachable: 1 });
  await host.restart();
  await untilApplied(relay, "s", 2n, 1);
  expect(bpftoolDump(id)).toEqual(dumped(numbers(50, 200)));
});

it("is kept in a fleet of one process", async () => {
  const daemon = await startDaemon({
    args: ["--fleet", ...OWN_STORE, ...OWN_MEMORY],
  });
  const id = await holdMap(daemon, "m");
  await putSet(daemon, "s", specFor("m"), numbers(0, 100));
  await untilApplied(daemon, "s", 1n, 1);
  expect(bpftoolDump(id)).toEqual(dumped(numbers(0, 100)));
});
