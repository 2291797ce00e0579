import { BpfmapError, type MapHandle, type MapRefInit, mapRef, status } from "@bpfmapd/client";
import { CpuFold, ErrorReason, OnError, UpdateMode } from "@bpfmapd/client/proto";
import { describe, expect, it } from "vitest";
import { type Behaviour, failure, serve } from "./support/canned-server.js";

const key = (first: number) => Uint8Array.of(first, 0, 0, 0);
const value = (first: number) => Uint8Array.of(first, 1);

const MISSING = failure(status.NOT_FOUND, "no such element", { reason: "ELEMENT_NOT_FOUND" });
const GONE = failure(status.NOT_FOUND, "no map with id 1", { reason: "MAP_NOT_FOUND" });

/** A handle of a map of 4-byte keys and 2-byte values, and the requests it made, by RPC. */
async function handle(behaviour: Behaviour) {
  const requests: [string, Record<string, unknown>][] = [];
  const recorded = Object.entries({
    getMap: (_call, callback) => callback(null, { map: { id: 1, keySize: 4, valueSize: 2 } }),
    ...behaviour,
  } satisfies Behaviour).map(([name, answer]) => [
    name,
    (call: { request: Record<string, unknown> }, callback: unknown) => {
      requests.push([name, call.request]);
      (answer as (call: unknown, callback: unknown) => void)(call, callback);
    },
  ]);
  const { client } = await serve(Object.fromEntries(recorded));
  return { map: client.map({ id: 1 }), requests };
}

describe("a reference", () => {
  it.each<[MapRefInit, object]>([
    [{ id: 7 }, { ref: { case: "id", value: 7 } }],
    [{ pinPath: "/sys/fs/bpf/a" }, { ref: { case: "pinPath", value: "/sys/fs/bpf/a" } }],
    [{ name: "a" }, { ref: { case: "name", value: "a" } }],
    [
      { held: "a", bootId: "b" },
      { ref: { case: "held", value: "a" }, bootId: "b" },
    ],
  ])("of %j becomes a MapRef", (init, ref) => {
    expect(mapRef(init)).toMatchObject(ref);
  });

  it.each([{}, { id: 1, name: "a" }, { bootId: "b" }])("of %j is refused", (init) => {
    expect(() => mapRef(init as MapRefInit)).toThrow(/exactly one of id, pinPath, name, held/);
  });
});

describe("lookup", () => {
  it("returns the value", async () => {
    const { map, requests } = await handle({
      lookupElements: (_call, callback) =>
        callback(null, { elements: { count: 1, values: value(5) } }),
    });
    expect(await map.lookup(key(1))).toEqual(value(5));
    expect(requests.at(-1)?.[1]).toMatchObject({ keys: key(1), lock: false });
  });

  it("returns undefined where the element is not there, and throws any other error", async () => {
    let answer = MISSING;
    const { map } = await handle({ lookupElements: (_call, callback) => callback(answer) });
    expect(await map.lookup(key(1))).toBeUndefined();
    answer = GONE;
    await expect(map.lookup(key(1))).rejects.toMatchObject({ reason: "MAP_NOT_FOUND" });
  });

  it("tells which CPU's slot, or how to fold them", async () => {
    const { map, requests } = await handle({
      lookupElements: (_call, callback) =>
        callback(null, { elements: { count: 1, values: value(5) } }),
    });
    await map.lookup(key(1), { cpu: 0, lock: true });
    expect(requests.at(-1)?.[1]).toMatchObject({
      cpuView: { view: { case: "cpu", value: 0 } },
      lock: true,
    });
    await map.lookup(key(1), { fold: CpuFold.SUM_U32 });
    expect(requests.at(-1)?.[1]).toMatchObject({
      cpuView: { view: { case: "fold", value: CpuFold.SUM_U32 } },
    });
    await expect(map.lookup(key(1), { cpu: 0, fold: CpuFold.SUM_U32 })).rejects.toThrow(/exclude/);
  });
});

describe("lookupMany and takeMany", () => {
  const answer = {
    elements: { count: 3, values: Uint8Array.of(1, 1, 0, 0, 3, 1) },
    failures: [{ index: 1, reason: ErrorReason.ELEMENT_NOT_FOUND }],
  };
  const behaviour: Behaviour = {
    lookupElements: (_call, callback) => callback(null, answer),
    takeElements: (_call, callback) => callback(null, answer),
  };

  it.each(["lookupMany", "takeMany"] as const)(
    "%s answers in the order of the keys",
    async (method) => {
      const { map, requests } = await handle(behaviour);
      expect(await map[method]([key(1), key(2), key(3)])).toEqual([value(1), undefined, value(3)]);
      expect(requests.at(-1)?.[1]).toMatchObject({
        keys: Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0),
        onError: OnError.CONTINUE,
      });
    },
  );

  it("throws where the kernel refused an element for another reason", async () => {
    const { map } = await handle({
      lookupElements: (_call, callback) =>
        callback(null, {
          elements: { count: 1, values: value(0) },
          failures: [{ index: 0, reason: ErrorReason.MAP_CONTENDED }],
        }),
    });
    await expect(map.lookupMany([key(1)])).rejects.toMatchObject({
      name: "BpfmapError",
      reason: "MAP_CONTENDED",
      metadata: { index: "0" },
    });
  });

  it.each([
    ["too few elements", { count: 2, values: new Uint8Array(4) }],
    ["half a value", { count: 3, values: new Uint8Array(5) }],
    ["nothing", undefined],
  ])("throws INTERNAL for an answer of %s", async (_what, elements) => {
    const { map } = await handle({
      lookupElements: (_call, callback) => callback(null, { elements }),
    });
    await expect(map.lookupMany([key(1), key(2), key(3)])).rejects.toMatchObject({
      name: "BpfmapError",
      code: status.INTERNAL,
    });
  });

  it("asks nothing for no keys", async () => {
    const { map, requests } = await handle({});
    expect(await map.lookupMany([])).toEqual([]);
    expect(await map.takeMany([])).toEqual([]);
    expect(requests).toEqual([]);
  });
});

describe("keys", () => {
  const found = { elements: { count: 1, values: value(1) } };
  const calls: [string, (map: MapHandle, key: Uint8Array) => Promise<unknown>][] = [
    ["lookup", (map, key) => map.lookup(key)],
    ["lookupMany", (map, key) => map.lookupMany([key])],
    ["delete", (map, key) => map.delete(key)],
    ["deleteMany", (map, key) => map.deleteMany([key])],
    ["take", (map, key) => map.take(key)],
    ["takeMany", (map, key) => map.takeMany([key])],
  ];

  it.each(calls)("of %s go with their count, so that none passes for two", async (_name, call) => {
    const { map, requests } = await handle({
      lookupElements: (_call, callback) => callback(null, found),
      deleteElements: (_call, callback) => callback(null, { applied: 1 }),
      takeElements: (_call, callback) => callback(null, found),
    });
    await call(map, new Uint8Array(8));
    expect(requests.map(([, request]) => request)).toMatchObject([
      { keys: new Uint8Array(8), count: 1 },
    ]);
  });

  it("are refused where their sizes differ, though their sum would do", async () => {
    const { map } = await handle({});
    const keys = [new Uint8Array(3), new Uint8Array(5)];
    await expect(map.deleteMany(keys)).rejects.toMatchObject({ reason: "KEY_SIZE_MISMATCH" });
  });
});

describe("update", () => {
  it("sends one element, with its options", async () => {
    const { map, requests } = await handle({
      updateElements: (_call, callback) => callback(null, { applied: 1 }),
    });
    await map.update(key(1), value(2), { mode: UpdateMode.NOEXIST, cpu: 1, lock: true });
    expect(requests).toMatchObject([
      [
        "updateElements",
        {
          elements: { count: 1, keys: key(1), values: value(2) },
          mode: UpdateMode.NOEXIST,
          cpuTarget: { target: { case: "cpu", value: 1 } },
          lock: true,
        },
      ],
    ]);
  });

  it("throws the daemon's error", async () => {
    const { map } = await handle({
      updateElements: (_call, callback) =>
        callback(failure(status.RESOURCE_EXHAUSTED, "full", { reason: "MAP_FULL" })),
    });
    await expect(map.update(key(1), value(1))).rejects.toBeInstanceOf(BpfmapError);
  });
});

describe("updateMany", () => {
  it("sends columns with their count and answers what was refused", async () => {
    const failures = [{ index: 1, reason: ErrorReason.MAP_FULL }];
    const { map, requests } = await handle({
      updateElements: (_call, callback) => callback(null, { applied: 1, failures }),
    });
    const elements = new Map([
      [key(1), value(1)],
      [key(2), value(2)],
    ]);
    const answer = await map.updateMany(elements, { allCpus: true, onError: OnError.CONTINUE });
    expect(answer).toMatchObject({ applied: 1, failures });
    expect(requests[0]?.[1]).toMatchObject({
      elements: {
        count: 2,
        keys: Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0),
        values: Uint8Array.of(1, 1, 2, 1),
      },
      cpuTarget: { target: { case: "allCpus", value: true } },
      onError: OnError.CONTINUE,
    });
  });

  it("sends nothing where lengths differ: joined they could pass for others", async () => {
    const { map, requests } = await handle({});
    const wrongKeys = map.updateMany([
      [new Uint8Array(3), value(1)],
      [new Uint8Array(5), value(2)],
    ]);
    await expect(wrongKeys).rejects.toMatchObject({
      reason: "KEY_SIZE_MISMATCH",
      violations: [{ field: "elements.keys", description: "key 1 has 5 bytes; 3 are needed" }],
    });
    const wrongValues = map.updateMany([
      [key(1), new Uint8Array(1)],
      [key(2), new Uint8Array(3)],
    ]);
    await expect(wrongValues).rejects.toMatchObject({ reason: "VALUE_SIZE_MISMATCH" });
    expect(requests).toEqual([]);
  });
});

describe("delete, take and nextKey", () => {
  it("tell whether the element was there", async () => {
    const { map } = await handle({
      deleteElements: (_call, callback) => callback(null, { applied: 1 }),
      takeElements: (_call, callback) =>
        callback(null, { elements: { count: 1, values: value(3) } }),
      nextKey: (call, callback) => callback(null, { nextKey: call.request.key ?? key(9) }),
    });
    expect(await map.delete(key(1))).toBe(true);
    expect(await map.take(key(1))).toEqual(value(3));
    expect(await map.nextKey()).toEqual(key(9));
    expect(await map.nextKey(key(4))).toEqual(key(4));
  });

  it("tell that it was not", async () => {
    const { map } = await handle({
      deleteElements: (_call, callback) => callback(MISSING),
      takeElements: (_call, callback) => callback(MISSING),
      nextKey: (_call, callback) => callback(MISSING),
    });
    expect(await map.delete(key(1))).toBe(false);
    expect(await map.take(key(1))).toBeUndefined();
    expect(await map.nextKey()).toBeUndefined();
  });

  it("throw where the map is not there", async () => {
    const { map } = await handle({
      deleteElements: (_call, callback) => callback(GONE),
      takeElements: (_call, callback) => callback(GONE),
      nextKey: (_call, callback) => callback(GONE),
    });
    const gone = { reason: "MAP_NOT_FOUND" };
    await expect(map.delete(key(1))).rejects.toMatchObject(gone);
    await expect(map.take(key(1))).rejects.toMatchObject(gone);
    await expect(map.nextKey()).rejects.toMatchObject(gone);
  });
});

describe("queues, stacks and bloom filters", () => {
  it("push, pop, peek and mayContain carry values only", async () => {
    const { map, requests } = await handle({
      pushElements: (_call, callback) => callback(null, { applied: 2 }),
      popElements: (_call, callback) =>
        callback(null, { elements: { count: 2, values: Uint8Array.of(1, 1, 2, 1) } }),
      peekElement: (call, callback) =>
        callback(null, { found: call.request.value?.[0] !== 8, value: value(4) }),
    });
    expect(await map.push([value(1), value(2)], { overwriteOldest: true })).toBe(2);
    expect(requests.at(-1)?.[1]).toMatchObject({
      values: Uint8Array.of(1, 1, 2, 1),
      count: 2,
      overwriteOldest: true,
    });
    expect(await map.pop(10)).toEqual([value(1), value(2)]);
    expect(requests.at(-1)?.[1]).toMatchObject({ maxCount: 10 });
    expect(await map.peek()).toEqual(value(4));
    expect(await map.mayContain(value(7))).toBe(true);
    expect(await map.mayContain(value(8))).toBe(false);
  });

  it("an empty queue gives nothing", async () => {
    const { map } = await handle({
      popElements: (_call, callback) => callback(null, { elements: { count: 0 } }),
      peekElement: (_call, callback) => callback(null, { found: false }),
    });
    expect(await map.pop()).toEqual([]);
    expect(await map.peek()).toBeUndefined();
  });
});

describe("clear, count and freeze", () => {
  it("name the map and return the answer", async () => {
    const { map, requests } = await handle({
      clearMap: (_call, callback) => callback(null, { removed: 3n }),
      countElements: (_call, callback) => callback(null, { count: 4n, maxEntries: 8 }),
      freezeMap: (_call, callback) => callback(null, {}),
    });
    expect((await map.clear()).removed).toBe(3n);
    expect(await map.count({ keyPrefix: key(1) })).toMatchObject({ count: 4n, maxEntries: 8 });
    expect(await map.freeze()).toBeUndefined();
    for (const [, request] of requests) {
      expect(request).toMatchObject({ map: { ref: { case: "id", value: 1 } } });
    }
    expect(requests[1]?.[1]).toMatchObject({ filter: { keyPrefix: key(1) } });
  });

  it("get throws INTERNAL where the answer has no map", async () => {
    const { map } = await handle({ getMap: (_call, callback) => callback(null, {}) });
    await expect(map.get()).rejects.toMatchObject({ code: status.INTERNAL });
  });
});
