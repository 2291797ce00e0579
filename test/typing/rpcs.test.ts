import type { BpfmapClient } from "@bpfmapd/client";
import { Format, LoadStrategy, MapType, WatchStart } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, test } from "vitest";
import { possibleCpus } from "#dist/kernel/index.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { compiledObject, loadedMaps } from "./support/bpf-object.js";
import { dumpJson } from "./support/typed-dump.js";

let daemon: TestDaemon;
let client: BpfmapClient;
let loads = 0;

beforeAll(async () => {
  daemon = await startDaemon();
  client = daemon.client;
  return () => daemon.dispose();
});

/** The maps of the object kinds, loaded anew: a reference by name. */
function freshMaps() {
  const pins = loadedMaps(
    compiledObject("kinds", daemon.directory),
    `${daemon.bpffs}/load${loads++}`,
  );
  return (name: string) =>
    client.map({ pinPath: pins.find((pin) => pin.endsWith(name)) ?? "" }).ref;
}

const FORMAT = Format.JSON;
const counter = (packets: string, bytes = "0", balance = 0) => ({
  packets,
  rx_packets: packets,
  bytes,
  rx_bytes: bytes,
  balance,
});
const KEY = JSON.stringify("flow");

describe("JSON of a map's own types", () => {
  test("is written, looked up, taken and deleted by key", async () => {
    const map = freshMaps()("events");
    const value = JSON.stringify({ pid: 7, comm: "systemd", latency: "-9007199254740993" });
    const elements = { count: 1, jsonKeys: [KEY], jsonValues: [value] };
    await client.maps.updateElements({ map, elements });

    const found = await client.maps.lookupElements({
      map,
      count: 1,
      jsonKeys: [KEY],
      format: FORMAT,
    });
    expect(found.elements?.values).toHaveLength(0);
    expect(JSON.parse(found.elements?.jsonValues[0] ?? "")).toMatchObject({
      pid: 7,
      comm: "systemd",
      latency: "-9007199254740993",
      task: "0",
      slots: [
        [0, 0],
        [0, 0],
        [0, 0],
      ],
    });

    const keys = { map, count: 1, jsonKeys: [KEY] };
    const next = await client.maps.nextKey({ map, format: FORMAT });
    expect(next).toMatchObject({ nextJsonKey: KEY });
    await expect(client.maps.nextKey({ map, jsonKey: KEY })).rejects.toMatchObject({
      reason: "ELEMENT_NOT_FOUND",
    });
    await expect(client.maps.deleteElements(keys)).resolves.toMatchObject({ applied: 1 });
    await expect(client.maps.deleteElements(keys)).rejects.toMatchObject({
      reason: "ELEMENT_NOT_FOUND",
    });
    await client.maps.updateElements({ map, elements });
    const taken = await client.maps.takeElements({ ...keys, format: FORMAT });
    expect(JSON.parse(taken.elements?.jsonValues[0] ?? "")).toMatchObject({ pid: 7 });
    expect(await dumpJson(client, { pinPath: pathOf(map) })).toEqual([]);
  });

  test("stands beside the bytes where both are asked for", async () => {
    const map = freshMaps()("hits");
    const request = { map, count: 1, jsonKeys: ["3"], format: Format.BYTES_AND_JSON };
    const { elements } = await client.maps.lookupElements(request);
    expect(elements?.values).toHaveLength(8 * cpus());
    expect(elements?.jsonValues).toEqual([JSON.stringify(Array(cpus()).fill("0"))]);
  });

  test("of a key that is not there is an empty text", async () => {
    const map = freshMaps()("events");
    const { elements, failures } = await client.maps.lookupElements({
      map,
      count: 1,
      jsonKeys: [KEY],
      format: FORMAT,
      onError: 2,
    });
    expect(elements?.jsonValues).toEqual([""]);
    expect(failures).toHaveLength(1);
  });

  test("of a per-CPU map is an array with a value for each CPU, or one CPU's value", async () => {
    const map = freshMaps()("counters");
    const values = Array.from({ length: cpus() }, (_, cpu) => counter(String(cpu + 1)));
    const jsonValues = [JSON.stringify(values)];
    await client.maps.updateElements({ map, elements: { count: 1, jsonKeys: ["5"], jsonValues } });
    const lookup = { map, count: 1, jsonKeys: ['"5"'], format: FORMAT };
    const whole = await client.maps.lookupElements(lookup);
    expect(JSON.parse(whole.elements?.jsonValues[0] ?? "")).toEqual(values);

    const one = { view: { case: "cpu" as const, value: 1 } };
    const second = await client.maps.lookupElements({ ...lookup, cpuView: one });
    expect(JSON.parse(second.elements?.jsonValues[0] ?? "")).toEqual(counter("2"));

    await client.maps.updateElements({
      map,
      elements: { count: 1, jsonKeys: ["5"], jsonValues: ['{"bytes": 9}'] },
      cpuTarget: { target: { case: "allCpus", value: true } },
    });
    const all = await client.maps.lookupElements(lookup);
    expect(JSON.parse(all.elements?.jsonValues[0] ?? "")).toEqual(
      Array(cpus()).fill(counter("0", "9")),
    );
    await expect(
      client.maps.updateElements({
        map,
        elements: { count: 1, jsonKeys: ["5"], jsonValues: ["[{}]"] },
      }),
    ).rejects.toMatchObject({ reason: "JSON_INVALID", message: /1 values given for \d+ CPUs/ });
  });

  test("is pushed, peeked at and popped, by the types of a program", async () => {
    const map = freshMaps()("jobs");
    const pinPath = pathOf(map).replace("maps/jobs", "programs/count");
    const program = { ref: { case: "pinPath" as const, value: pinPath } };
    // libbpf gives queues no BTF.
    const typing = {
      source: { case: "program" as const, value: program },
      valueType: "struct counter",
    };
    const jsonValues = ['{"packets":1}', '{"packets":"2"}'];
    await expect(client.maps.pushElements({ map, count: 2, jsonValues })).rejects.toMatchObject({
      reason: "NO_TYPES",
    });
    await client.maps.pushElements({ map, count: 2, jsonValues, typing });
    const peeked = await client.maps.peekElement({ map, format: FORMAT, typing });
    expect(JSON.parse(peeked.jsonValue)).toEqual(counter("1"));
    const { elements } = await client.maps.popElements({
      map,
      maxCount: 5,
      format: FORMAT,
      typing,
    });
    expect(elements?.jsonValues.map((text) => JSON.parse(text))).toEqual([
      counter("1"),
      counter("2"),
    ]);
  });

  test("is loaded, and dumped as it was", async () => {
    const map = freshMaps()("routes");
    const routes = [
      { key: { prefixlen: 8, addr: [10, 0, 0, 0] }, value: "VERDICT_PASS" },
      { key: { prefixlen: 32, addr: [10, 1, 2, 3] }, value: "VERDICT_DROP" },
      { key: { prefixlen: 0, addr: [0, 0, 0, 0] }, value: 77 },
    ];
    const elements = {
      count: routes.length,
      jsonKeys: routes.map(({ key }) => JSON.stringify(key)),
      jsonValues: routes.map(({ value }) => JSON.stringify(value)),
    };
    const start = { map, strategy: LoadStrategy.REPLACE };
    const loaded = await client.maps.loadMap(
      (async function* () {
        yield { kind: { case: "start" as const, value: start } };
        yield { kind: { case: "elements" as const, value: elements } };
      })(),
    );
    expect(loaded).toMatchObject({ received: 3n, added: 3n });
    const dumped = await dumpJson(client, { pinPath: pathOf(map) });
    const sorted = (items: { key: unknown }[]) =>
      [...items].sort((a, b) => JSON.stringify(a.key).localeCompare(JSON.stringify(b.key)));
    expect(
      sorted(dumped.map(({ key, value }) => ({ key: JSON.parse(key), value: JSON.parse(value) }))),
    ).toEqual(sorted(routes));
  });

  test("of a data section is an object of its variables, which can be written back", async () => {
    const map = freshMaps()("_data");
    const lookup = { map, count: 1, jsonKeys: ["0"], format: FORMAT };
    const { elements } = await client.maps.lookupElements(lookup);
    const section = JSON.parse(elements?.jsonValues[0] ?? "");
    expect(section).toEqual({
      threshold: 42,
      total: counter("7", "9", -1),
      name: 'a "quoted" one',
      "first_of_two.runs": 3,
      "second_of_two.runs": 4,
    });
    const jsonValues = [JSON.stringify({ ...section, threshold: -1, name: "" })];
    await client.maps.updateElements({ map, elements: { count: 1, jsonKeys: ["0"], jsonValues } });
    const after = await client.maps.lookupElements(lookup);
    expect(JSON.parse(after.elements?.jsonValues[0] ?? "")).toMatchObject({
      threshold: -1,
      name: "",
      "second_of_two.runs": 4,
    });
  });

  test("is what new maps begin with, by the kernel's types", async () => {
    const { map } = await client.maps.createMap({
      spec: { type: MapType.HASH, keySize: 4, valueSize: 8, maxEntries: 10 },
      hold: { name: "typed-creation" },
      typing: { source: { case: "kernel", value: "vmlinux" }, keyType: "int", valueType: "u64" },
      initialElements: { count: 1, jsonKeys: ["-1"], jsonValues: ["18446744073709551615"] },
    });
    const found = await client.map({ id: map?.id ?? 0 }).lookup(Buffer.alloc(4, 0xff));
    expect(found && Buffer.from(found).toString("hex")).toBe("ff".repeat(8));
    await client.maps.releaseMap({ name: "typed-creation" });
  });

  test("is told by a watch, with the values before", async () => {
    const map = freshMaps()("events");
    const put = (pid: number) =>
      client.maps.updateElements({
        map,
        elements: { count: 1, jsonKeys: [KEY], jsonValues: [JSON.stringify({ pid })] },
      });
    await put(1);
    const told: unknown[] = [];
    const request = { map, format: FORMAT, previousValues: true, start: SNAPSHOT };
    for await (const { kind } of client.maps.watch(request)) {
      if (kind.case === "bookmark" && kind.value.snapshotDone) await put(2);
      if (kind.case !== "events") continue;
      const { puts, deletes, jsonPrevious } = kind.value;
      expect(puts?.keys).toHaveLength(0);
      for (const [index, key] of (puts?.jsonKeys ?? []).entries()) {
        const pid = pidOf(puts?.jsonValues[index]);
        told.push({ key, pid, previous: pidOf(jsonPrevious[index]) });
        if (pid === 2) await put(3);
        if (pid === 3) await client.maps.deleteElements({ map, count: 1, jsonKeys: [KEY] });
      }
      for (const key of deletes?.jsonKeys ?? []) {
        told.push({ deleted: key, previous: pidOf(jsonPrevious[0]) });
      }
      if (deletes?.count) break;
    }
    expect(told).toEqual([
      { key: KEY, pid: 1, previous: undefined },
      // What the service itself writes first is not compared with anything.
      { key: KEY, pid: 2, previous: undefined },
      { key: KEY, pid: 3, previous: 2 },
      { deleted: KEY, previous: 3 },
    ]);
  });
});

const SNAPSHOT = { case: "from" as const, value: WatchStart.SNAPSHOT };

function pidOf(json: string | undefined): number | undefined {
  return json ? JSON.parse(json).pid : undefined;
}

function cpus(): number {
  return possibleCpus().length;
}

function pathOf(ref: { ref: { case?: string; value?: unknown } }): string {
  return String(ref.ref.value);
}
