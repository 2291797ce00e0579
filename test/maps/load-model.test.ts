import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type Columns, loadMap, type MapHost } from "#dist/maps/index.js";
import { columnsOf, hex, streamOf, u32 } from "./support/elements.js";
import { startHost } from "./support/host.js";
import { Hand, type KernelMap, makeMap, WALKABLE, type Walkable } from "./support/kernel-map.js";
import { MapModel } from "./support/map-model.js";
import { expectFailure } from "./support/outcome.js";

let host: MapHost;
beforeAll(async () => {
  const started = await startHost();
  host = started.host;
  return started.close;
});

/** More keys than a map has room for; LRU maps get room, so that they evict nothing. */
const ROOM = 8;
const KEYS = 11;

type Element = [Buffer, Buffer];

interface Load {
  readonly original: { key: number; byte: number }[];
  /** Chunks of elements; a key may come more than once. */
  readonly chunks: { key: number; byte: number }[][];
}

const elements = fc.record({ key: fc.nat(KEYS - 1), byte: fc.nat(3) });
const loads: fc.Arbitrary<Load> = fc.record({
  original: fc.uniqueArray(elements, { maxLength: ROOM, selector: ({ key }) => key }),
  chunks: fc.array(fc.array(elements, { maxLength: 6 }), { maxLength: 4 }),
});

/** Key `index`: of a trie nested prefixes, whose host bits are set now and then. */
function keyFor({ layout, target }: KernelMap, index: number, salt: number): Buffer {
  if (target.keyKind === "index") return u32(index % layout.maxEntries);
  if (target.keyKind !== "prefix") return u32(index, layout.keySize);
  const key = Buffer.from([index, 0, 0, 0, 0b10100000, salt, salt, salt]);
  return key;
}

function start(type: Walkable, { original, chunks }: Load) {
  const maxEntries = type.startsWith("LRU") ? 1000 : ROOM;
  const map = makeMap(type, { maxEntries, valueSize: 5 });
  const model = new MapModel(type, map.layout);
  const hand = new Hand(map);
  const elementOf = ({ key, byte }: { key: number; byte: number }, salt: number): Element => [
    keyFor(map, key, salt),
    Buffer.alloc(map.layout.valueStride, byte),
  ];
  for (const [key, value] of original.map((one) => elementOf(one, 0))) {
    hand.update(key, value);
    model.update(key, value);
  }
  const before = new Map(model.elements);
  const streamed = chunks.map((chunk, salt) => chunk.map((one) => elementOf(one, salt)));
  /** The map's contents by the name of the key. */
  const contents = () =>
    new Map(
      [...hand.contents()].map(([key, value]) => [model.name(Buffer.from(key, "hex")), value]),
    );
  return { map, model, before, streamed, stream: streamed.flat(), contents };
}

type Stage = ReturnType<typeof start>;

/** What a load must tell of the stream, walking through it one by one. */
function countsOf({ model, before, stream }: Stage) {
  const now = new Map(before);
  const changed = new Set<string>();
  for (const [key, value] of stream) {
    const name = model.name(key);
    const old = now.get(name);
    if (before.has(name) && !old?.equals(value)) changed.add(name);
    now.set(name, value);
  }
  const names = new Set(stream.map(([key]) => model.name(key)));
  const there = [...names].filter((name) => before.has(name));
  return {
    received: stream.length,
    added: names.size - there.length,
    changed: changed.size,
    unchanged: there.length - changed.size,
  };
}

/** Elements that REPLACE must remove, or set to zero. */
function removedOf({ map, model, before, stream }: Stage): number {
  const names = new Set(stream.map(([key]) => model.name(key)));
  const others = [...before].filter(([name]) => !names.has(name));
  const isArray = map.target.keyKind === "index";
  return others.filter(([, value]) => !isArray || value.some((byte) => byte !== 0)).length;
}

function load(
  { map, streamed }: Stage,
  strategy: "merge" | "replace",
  dryRun: boolean,
): ReturnType<typeof loadMap> {
  const chunks: Columns[] = streamed.map((chunk) => columnsOf(chunk));
  const request = { map: { by: "id", id: map.id }, strategy, dryRun } as const;
  return loadMap(host, request, streamOf(chunks), new AbortController().signal);
}

const hexed = (elements: Map<string, Buffer>) =>
  new Map([...elements].map(([name, value]) => [name, hex(value)]));

/** The stream alone: of an array, with zeros everywhere else. */
function replacedBy(type: Walkable, { map, stream }: Stage): MapModel {
  const model = new MapModel(type, map.layout);
  for (const [key, value] of stream) model.elements.set(model.name(key), value);
  return model;
}

/** How many elements the map would have to hold in the end. */
function elementsAfter(strategy: "merge" | "replace", { model, before, stream }: Stage): number {
  const names = stream.map(([key]) => model.name(key));
  return new Set(strategy === "merge" ? [...before.keys(), ...names] : names).size;
}

const checked = (check: (load: Load) => Promise<void>) =>
  fc.assert(fc.asyncProperty(loads, check), { numRuns: 25 });

describe.each(WALKABLE)("a load into a %s", (type) => {
  it("MERGE writes the stream in order, up to the first element without room", async () => {
    await checked(async (asked) => {
      const stage = start(type, asked);
      const { model, stream } = stage;
      const refused = stream.findIndex(([key, value]) => model.update(key, value) !== undefined);
      if (refused < 0) {
        const count = stream.length;
        expect(await load(stage, "merge", false)).toEqual({ received: count, written: count });
      } else {
        const error = await expectFailure(load(stage, "merge", false), "MAP_FULL");
        expect(error.metadata).toMatchObject({ index: `${refused}`, applied: `${refused}` });
      }
      expect(stage.contents()).toEqual(hexed(model.elements));
    });
  });

  it("REPLACE makes the contents equal to the stream and counts exactly, or removes nothing", async () => {
    await checked(async (asked) => {
      const stage = start(type, asked);
      const wanted = replacedBy(type, stage);
      if (wanted.elements.size > stage.map.layout.maxEntries) {
        await expectFailure(load(stage, "replace", false), "MAP_FULL");
        for (const name of stage.before.keys()) expect(stage.contents().has(name)).toBe(true);
        return;
      }
      const counts = countsOf(stage);
      const result = await load(stage, "replace", false);
      expect(stage.contents()).toEqual(hexed(wanted.elements));
      expect(result).toMatchObject({ ...counts, removed: removedOf(stage) });
      const isOnceEach =
        new Set(stage.stream.map(([key]) => stage.model.name(key))).size === stage.stream.length;
      if (isOnceEach) expect(result.written).toBe(counts.added + counts.changed);
      expect(result.written).toBeLessThanOrEqual(counts.received);
    });
  });

  it.each(["merge", "replace"] as const)(
    "a dry run of %s tells the same counts, or that there is no room, and writes nothing",
    async (strategy) => {
      await checked(async (asked) => {
        const stage = start(type, asked);
        if (elementsAfter(strategy, stage) > stage.map.layout.maxEntries) {
          await expectFailure(load(stage, strategy, true), "MAP_FULL");
          expect(stage.contents()).toEqual(hexed(stage.before));
          return;
        }
        const result = await load(stage, strategy, true);
        const removed = strategy === "replace" ? { removed: removedOf(stage) } : {};
        expect(result).toEqual({ ...countsOf(stage), ...removed, written: 0 });
        expect(stage.contents()).toEqual(hexed(stage.before));
      });
    },
  );
});
