import { beforeAll, describe, expect, it } from "vitest";
import { mapFreeze } from "#dist/kernel/index.js";
import { type Columns, type LoadStart, loadMap, type MapHost } from "#dist/maps/index.js";
import { startChurn } from "./support/churn.js";
import { byKey, columnsOf, hex, range, rows, streamOf, u32 } from "./support/elements.js";
import { startHost } from "./support/host.js";
import { Hand, type KernelMap, makeMap } from "./support/kernel-map.js";
import { eventually, expectFailure } from "./support/outcome.js";

let host: MapHost;
beforeAll(async () => {
  const started = await startHost({ limits: { replaceMemoryBytes: 8 << 20 } });
  host = started.host;
  return started.close;
});

type Chunks = Iterable<Columns> | AsyncIterable<Columns>;

function load(map: KernelMap, chunks: Chunks, more: Partial<LoadStart> = {}) {
  const start = {
    map: { by: "id", id: map.id },
    strategy: "merge",
    dryRun: false,
    ...more,
  } as const;
  const stream = Symbol.asyncIterator in chunks ? chunks : streamOf(chunks);
  return loadMap(host, start, stream, new AbortController().signal);
}

const REPLACE = { strategy: "replace" } as const;

/** Elements from–to of {@link range} in chunks of `size`. */
function* chunksOf(map: KernelMap, from: number, to: number, size = 500): Generator<Columns> {
  for (let at = from; at < to; at += size) {
    yield columnsOf(range(map.layout, at, Math.min(to, at + size), map.target.keyKind));
  }
}

describe("a long load", () => {
  it("MERGE writes every chunk", async () => {
    const map = makeMap("HASH", { maxEntries: 60_000, keySize: 8, valueSize: 16 });
    const result = await load(map, chunksOf(map, 0, 50_000, 3000));
    expect(result).toEqual({ received: 50_000, written: 50_000 });
    expect(new Hand(map).contents()).toEqual(byKey(range(map.layout, 0, 50_000)));
  });

  it("REPLACE exchanges all elements of a full map", async () => {
    for (const flags of [0, 1]) {
      const map = makeMap("HASH", { maxEntries: 6000, flags });
      await load(map, chunksOf(map, 0, 6000));
      const result = await load(map, chunksOf(map, 3000, 9000), REPLACE);
      expect(result).toEqual({
        received: 6000,
        written: 3000,
        added: 3000,
        changed: 0,
        unchanged: 3000,
        removed: 3000,
      });
      expect(new Hand(map).contents()).toEqual(byKey(range(map.layout, 3000, 9000)));
    }
  });

  it("REPLACE with nothing empties the map", async () => {
    const map = makeMap("LPM_TRIE", { maxEntries: 2000 });
    await load(map, chunksOf(map, 0, 1500));
    expect(await load(map, [], REPLACE)).toMatchObject({ received: 0, removed: 1500 });
    expect(new Hand(map).contents().size).toBe(0);
  });

  it("REPLACE settles what others change while the stream comes", async () => {
    const map = makeMap("HASH", { maxEntries: 3000 });
    const hand = new Hand(map);
    await load(map, chunksOf(map, 0, 1000));
    async function* stream(): AsyncGenerator<Columns> {
      yield* chunksOf(map, 0, 600, 100);
      // What the load has written or found as wanted is undone under its hands.
      for (const index of [1, 2, 3, 550]) hand.delete(u32(index));
      hand.update(u32(10), Buffer.alloc(8, 0xee));
      hand.update(u32(2500), Buffer.alloc(8, 0xee));
      yield* chunksOf(map, 600, 700, 100);
    }
    const result = await load(map, stream(), REPLACE);
    expect(hand.contents()).toEqual(byKey(range(map.layout, 0, 700)));
    expect(result).toMatchObject({ added: 0, changed: 0, unchanged: 700, removed: 301 });
  });

  it("MERGE goes on beside others that write the same map", async () => {
    const map = makeMap("HASH", { maxEntries: 8000 });
    await startChurn(
      map,
      range(map.layout, 6000, 6500).map(([key]) => key),
    );
    await load(map, chunksOf(map, 0, 5000, 700));
    const contents = new Hand(map).contents();
    for (const [key, value] of byKey(range(map.layout, 0, 5000))) {
      expect(contents.get(key)).toBe(value);
    }
  });
});

describe("a stream that is cut", () => {
  it.each(["merge", "replace"] as const)(
    "ends %s with its own error, and nothing is removed",
    async (strategy) => {
      const map = makeMap("HASH");
      await load(map, chunksOf(map, 0, 50));
      async function* cut(): AsyncGenerator<Columns> {
        yield* chunksOf(map, 20, 80, 10);
        throw new RangeError("the client went away");
      }
      await expect(load(map, cut(), { strategy })).rejects.toThrow("the client went away");
      const contents = new Hand(map).contents();
      for (const key of byKey(range(map.layout, 0, 50)).keys())
        expect(contents.has(key)).toBe(true);
    },
  );

  it("by the caller's signal ends the load and closes the stream", async () => {
    const map = makeMap("HASH", { maxEntries: 10 });
    await load(map, chunksOf(map, 0, 10));
    const abort = new AbortController();
    let isClosed = false;
    async function* endless(): AsyncGenerator<Columns> {
      try {
        for (;;) {
          yield* chunksOf(map, 0, 5);
          abort.abort(new Error("the caller has had enough"));
        }
      } finally {
        isClosed = true;
      }
    }
    const start = { map: { by: "id", id: map.id }, strategy: "replace", dryRun: false } as const;
    const call = loadMap(host, start, endless(), abort.signal);
    await expect(call).rejects.toThrow("the caller has had enough");
    await eventually(() => isClosed).toBe(true);
    expect(new Hand(map).contents().size).toBe(10);
  });
});

describe("a chunk at fault", () => {
  const good = () => columnsOf([[u32(1), Buffer.alloc(8, 1)]]);
  it.each<[string, string, Columns]>([
    ["KEY_SIZE_MISMATCH", "elements.keys", { ...good(), keys: Buffer.alloc(5) }],
    ["VALUE_SIZE_MISMATCH", "elements.values", { ...good(), values: Buffer.alloc(9) }],
    ["KEY_SIZE_MISMATCH", "elements.keys", { ...good(), count: 2 }],
  ])("ends the load with %s for %s; what came before it stays", async (reason, field, bad) => {
    for (const strategy of ["merge", "replace"] as const) {
      const map = makeMap("HASH");
      new Hand(map).update(u32(99), Buffer.alloc(8));
      const next = columnsOf([[u32(2), Buffer.alloc(8, 2)]]);
      const call = load(map, [good(), bad, next], { strategy });
      await expectFailure(call, reason as "KEY_SIZE_MISMATCH", field);
      expect([...new Hand(map).contents().keys()].sort()).toEqual(
        [u32(1), u32(99)].map(hex).sort(),
      );
    }
  });

  it("is written by no part of it", async () => {
    const map = makeMap("ARRAY", { maxEntries: 4 });
    const value = Buffer.alloc(8, 7);
    const bad = columnsOf([0, 1, 4].map((index) => [u32(index), value] as const));
    const error = await expectFailure(load(map, [bad]), "KEY_OUT_OF_RANGE", "elements.keys");
    expect(error.metadata).toMatchObject({ index: "2" });
    expect(new Set(new Hand(map).contents().values())).toEqual(new Set(["0000000000000000"]));
  });
});

describe("cpu_target of a load", () => {
  it.each(["merge", "replace"] as const)("all_cpus writes every slot by %s", async (strategy) => {
    for (const type of ["PERCPU_HASH", "PERCPU_ARRAY"] as const) {
      const map = makeMap(type, { valueSize: 5, maxEntries: 10 });
      const elements = [1, 2].map((index) => [u32(index), Buffer.alloc(5, index)] as const);
      await load(map, [columnsOf(elements)], { strategy, cpuTarget: { allCpus: true } });
      const value = new Hand(map).lookup(u32(2)) as Buffer;
      for (const slot of rows(value, 8)) expect(hex(slot)).toBe("0202020202000000");
      const again = await load(map, [columnsOf(elements)], {
        strategy: "replace",
        cpuTarget: { allCpus: true },
      });
      expect(again).toMatchObject({ unchanged: 2, added: 0, changed: 0, removed: 0, written: 0 });
    }
  });

  it("of one CPU is refused, and any for maps that are not per-CPU", async () => {
    const perCpu = makeMap("PERCPU_HASH");
    const one = load(perCpu, [], { cpuTarget: { cpu: 0 } });
    await expectFailure(one, "FIELD_INVALID", "start.cpu_target.cpu");
    const plain = load(makeMap("HASH"), [], { cpuTarget: { allCpus: true } });
    await expectFailure(plain, "FIELD_INVALID", "start.cpu_target");
  });
});

describe("limits of a load", () => {
  it("answers LIMIT_EXCEEDED where the map's picture takes too much memory, and changes nothing", async () => {
    const map = makeMap("HASH", { valueSize: 1 << 16, maxEntries: 300 });
    await load(map, chunksOf(map, 0, 200, 20));
    for (const dryRun of [false, true]) {
      const call = load(map, chunksOf(map, 0, 1), { strategy: "replace", dryRun });
      await expectFailure(call, "LIMIT_EXCEEDED");
    }
    expect(new Hand(map).keys()).toHaveLength(200);
  });

  it("answers LIMIT_EXCEEDED where the stream takes too much memory, and removes nothing", async () => {
    const map = makeMap("HASH", { valueSize: 1 << 16, maxEntries: 300 });
    new Hand(map).update(u32(1000), Buffer.alloc(1 << 16));
    await expectFailure(load(map, chunksOf(map, 0, 200, 20), REPLACE), "LIMIT_EXCEEDED");
    expect(new Hand(map).lookup(u32(1000))).toBeDefined();
  });
});

describe("maps that refuse a load", () => {
  it("frozen ones answer MAP_FROZEN", async () => {
    const map = makeMap("HASH");
    mapFreeze(map.fd);
    for (const strategy of ["merge", "replace"] as const) {
      await expectFailure(load(map, chunksOf(map, 0, 3), { strategy }), "MAP_FROZEN");
    }
  });

  it("those of kernel objects answer FIELD_INVALID for bytes and for REPLACE", async () => {
    const map = makeMap("DEVMAP", { valueSize: 4 });
    const bytes = [{ count: 1, keys: Buffer.alloc(4), values: Buffer.alloc(4) }];
    await expectFailure(load(map, bytes), "FIELD_INVALID", "elements.values");
    const replace = load(map, [], { strategy: "replace" });
    await expectFailure(replace, "FIELD_INVALID", "start.strategy");
  });

  it("names the reference at fault as the request does", async () => {
    const start = { strategy: "merge", dryRun: false } as const;
    const map = { by: "pinPath", pinPath: "relative" } as const;
    const signal = new AbortController().signal;
    const call = loadMap(host, { ...start, map }, streamOf([]), signal);
    await expectFailure(call, "PIN_PATH_INVALID", "start.map.pin_path");
  });
});

describe("a load into a map without keys", () => {
  const values = (from: number, count: number): Columns => ({
    count,
    keys: Buffer.alloc(0),
    values: Buffer.concat(Array.from({ length: count }, (_, index) => u32(from + index, 8))),
  });

  it("pushes the values in order", async () => {
    const map = makeMap("QUEUE", { keySize: 0, maxEntries: 100 });
    expect(await load(map, [values(0, 30), values(30, 40)])).toEqual({ received: 70, written: 70 });
  });

  it("tells which value of the whole stream had no room", async () => {
    const map = makeMap("STACK", { keySize: 0, maxEntries: 50 });
    const error = await expectFailure(load(map, [values(0, 30), values(30, 40)]), "MAP_FULL");
    expect(error.metadata).toMatchObject({ index: "50", applied: "50" });
  });

  it("knows neither REPLACE nor dry runs, keys nor other sizes", async () => {
    const map = makeMap("QUEUE", { keySize: 0 });
    await expectFailure(load(map, [], REPLACE), "FIELD_INVALID", "start.strategy");
    await expectFailure(load(map, [], { dryRun: true }), "FIELD_INVALID", "start.dry_run");
    const keyed = { ...values(0, 1), keys: Buffer.alloc(4) };
    await expectFailure(load(map, [keyed]), "KEY_SIZE_MISMATCH", "elements.keys");
    const wrong = { ...values(0, 1), values: Buffer.alloc(7) };
    await expectFailure(load(map, [wrong]), "VALUE_SIZE_MISMATCH", "elements.values");
  });
});
