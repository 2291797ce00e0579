import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { LoadStrategy, type MapSpecSchema, MapType } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  Assembler,
  closeFd,
  FP,
  mapGetFdById,
  R0,
  R1,
  R2,
  R6,
  R7,
  R8,
} from "#dist/kernel/index.js";
import { mapExists } from "../service/support/bpftool.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import {
  type ElementsInit,
  makeObjectMap,
  type ObjectMap,
  u32Keys,
  type ValueInit,
  writeObjects,
} from "./support/maps.js";
import { loadProgram, pinProgram } from "./support/objects.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

const COUNT = 100_000;
const CHUNK = 20_000;

const innerSpec = (more: MessageInitShape<typeof MapSpecSchema> = {}) => ({
  ...{ type: MapType.HASH, keySize: 4, valueSize: 8, maxEntries: COUNT },
  ...more,
});

const mapValue = (map: ObjectMap): ValueInit => ({
  object: { case: "map", value: { ref: { case: "id", value: map.id } } },
});

async function makeOuter(type: MapType, inner: ReturnType<typeof innerSpec>): Promise<ObjectMap> {
  return makeObjectMap(daemon, { type, innerMapSpec: inner, maxEntries: 2 });
}

/** `count` elements of one generation, in chunks. */
function* generation(number: number, count: number): Generator<ElementsInit> {
  for (let from = 0; from < count; from += CHUNK) {
    const size = Math.min(CHUNK, count - from);
    const keys = u32Keys(...Array.from({ length: size }, (_, index) => from + index));
    const values = Buffer.alloc(8 * size);
    for (let index = 0; index < size; index++) values.writeBigUInt64LE(BigInt(number), 8 * index);
    yield { count: size, keys, values };
  }
}

function replace(
  outer: ObjectMap,
  chunks: Iterable<ElementsInit>,
  more: { dryRun?: boolean; slot?: number } = {},
) {
  async function* stream() {
    const start = {
      map: outer.handle.ref,
      strategy: LoadStrategy.REPLACE_ATOMIC,
      outerKey: u32Keys(more.slot ?? 0),
      dryRun: more.dryRun ?? false,
    };
    yield { kind: { case: "start" as const, value: start } };
    for (const value of chunks) yield { kind: { case: "elements" as const, value } };
  }
  return daemon.client.maps.loadMap(stream());
}

async function innerId(outer: ObjectMap, slot = 0): Promise<number | undefined> {
  const value = await outer.handle.lookup(u32Keys(slot));
  return value && Buffer.from(value).readUInt32LE();
}

describe.each([
  ["ARRAY_OF_MAPS", MapType.ARRAY_OF_MAPS],
  ["HASH_OF_MAPS", MapType.HASH_OF_MAPS],
] as const)("REPLACE_ATOMIC in %s", (_, type) => {
  it("puts a new inner map with the stream's elements into the slot", async () => {
    const outer = await makeOuter(type, innerSpec({ name: "inner" }));
    const first = await makeObjectMap(daemon, innerSpec({ name: "inner" }));
    await writeObjects(daemon, outer, [[0, mapValue(first)]]);
    await first.handle.update(u32Keys(77), Buffer.alloc(8));

    expect(await replace(outer, generation(5, 3))).toMatchObject({ received: 3n, written: 3n });
    const id = (await innerId(outer)) as number;
    expect(id).not.toBe(first.id);
    const inner = daemon.client.map({ id });
    expect(await inner.get()).toMatchObject({ ...innerSpec(), name: "inner" });
    expect(await inner.count()).toMatchObject({ count: 3n });
    // The old one is left to those who hold it, and gone where nobody does.
    expect(await first.handle.count()).toMatchObject({ count: 1n });
    await replace(outer, generation(6, 1));
    expect(mapExists(id)).toBe(false);
  });

  it("changes nothing where the stream is at fault, and leaves no map", async () => {
    const outer = await makeOuter(type, innerSpec());
    const first = await makeObjectMap(daemon, innerSpec());
    await writeObjects(daemon, outer, [[0, mapValue(first)]]);
    const bad = { count: 1, keys: Buffer.alloc(4), values: Buffer.alloc(7) };
    const before = await mapCount();
    await expect(replace(outer, [...generation(1, 10), bad])).rejects.toMatchObject({
      reason: "VALUE_SIZE_MISMATCH",
    });
    expect(await innerId(outer)).toBe(first.id);
    expect(await mapCount()).toBe(before);
  });

  it("needs an inner map to make the new one like", async () => {
    const outer = await makeOuter(type, innerSpec());
    await expect(replace(outer, generation(1, 1))).rejects.toMatchObject({
      reason: "OBJECT_UNSUITABLE",
    });
    const other = await makeObjectMap(daemon, innerSpec());
    await writeObjects(daemon, outer, [[1, mapValue(other)]]);
    expect(await replace(outer, generation(1, 1))).toMatchObject({ written: 1n });
    expect(await innerId(outer)).not.toBe(other.id);
  });

  it("takes elements of the inner map's sizes through the client's handle", async () => {
    const outer = await makeOuter(type, innerSpec());
    const first = await makeObjectMap(daemon, innerSpec());
    await writeObjects(daemon, outer, [[0, mapValue(first)]]);
    for (const slot of [0, 1]) {
      const options = { strategy: LoadStrategy.REPLACE_ATOMIC, outerKey: u32Keys(slot) };
      const answer = await outer.handle.load([[u32Keys(4), Buffer.alloc(8, 1)]], options);
      expect(answer).toMatchObject({ written: 1n });
      const found = await outer.handle.lookupObject(u32Keys(slot));
      if (found?.object.case !== "map") throw new Error("no inner map");
      const { count } = await daemon.client.maps.countElements({ map: found.object.value });
      expect(count).toBe(1n);
    }
  });

  it("only reports with dry_run", async () => {
    const outer = await makeOuter(type, innerSpec());
    const first = await makeObjectMap(daemon, innerSpec());
    await writeObjects(daemon, outer, [[0, mapValue(first)]]);
    await first.handle.update(u32Keys(1), Buffer.alloc(8));
    const report = await replace(outer, generation(9, 3), { dryRun: true });
    expect(report).toMatchObject({ written: 0n, added: 2n, changed: 1n, removed: 0n });
    expect(await innerId(outer)).toBe(first.id);
    const empty = await replace(outer, generation(9, 3), { dryRun: true, slot: 1 });
    expect(empty).toMatchObject({ written: 0n, added: 3n });
    expect(await innerId(outer, 1)).toBeUndefined();
  });

  it("refuses a slot that cannot be, and maps without slots", async () => {
    const outer = await makeOuter(type, innerSpec());
    const start = { map: outer.handle.ref, strategy: LoadStrategy.REPLACE_ATOMIC };
    async function* without() {
      yield { kind: { case: "start" as const, value: start } };
    }
    await expect(daemon.client.maps.loadMap(without())).rejects.toMatchObject({
      violations: [{ field: "start.outer_key" }],
    });
    const plain = await makeObjectMap(daemon, innerSpec());
    await expect(replace(plain, [])).rejects.toMatchObject({ reason: "OPERATION_NOT_SUPPORTED" });
  });
});

/** Maps of the daemon's host with the test's name; other tests run beside. */
async function mapCount(): Promise<number> {
  const { maps } = await daemon.client.maps.listMaps({ detail: { holders: true } });
  return maps.filter(({ holders }) => holders.some(({ pid }) => pid === daemon.pid)).length;
}

const MIXED = 0;
const MISSING = 8;
const RUNS = 16;
const SAMPLES = 8;

/**
 * A program that looks up the inner map once, and then several of its elements: it counts
 * its runs, those in which one was missing, and those that saw two generations.
 */
function reader(outerFd: number, countersFd: number): Assembler {
  const count = (program: Assembler, offset: number) =>
    program.loadMapValue(R1, countersFd, offset).mov(R2, 1).atomic("add", "u64", R1, 0, R2);
  const program = new Assembler()
    .store("u32", FP, -4, 0)
    .loadMap(R1, outerFd)
    .mov(R2, FP)
    .add(R2, -4)
    .call("map_lookup_elem")
    .jumpIf(R0, "==", 0, "missing")
    .mov(R6, R0)
    .mov(R7, 0);
  for (let sample = 0; sample < SAMPLES; sample++) {
    const same = program.freshLabel("same");
    program
      .call("get_prandom_u32")
      .alu32("mod", R0, COUNT)
      .store("u32", FP, -8, R0)
      .mov(R1, R6)
      .mov(R2, FP)
      .add(R2, -8)
      .call("map_lookup_elem")
      .jumpIf(R0, "==", 0, "missing")
      .load("u64", R8, R0)
      .jumpIf(R7, "==", 0, same)
      .jumpIf(R7, "!=", R8, "mixed")
      .label(same)
      .mov(R7, R8);
  }
  return program
    .part((end) => count(end, RUNS))
    .return(0)
    .label("missing")
    .part((end) => count(end, MISSING))
    .return(0)
    .label("mixed")
    .part((end) => count(end, MIXED))
    .return(0);
}

it("never shows a mixture of 100,000 elements to a program that reads all the while", async () => {
  const outer = await makeOuter(MapType.ARRAY_OF_MAPS, innerSpec());
  const first = await makeObjectMap(daemon, innerSpec());
  await writeObjects(daemon, outer, [[0, mapValue(first)]]);
  await replace(outer, generation(1, COUNT));
  const counters = await makeObjectMap(daemon, {
    ...{ type: MapType.ARRAY, valueSize: 24, maxEntries: 1 },
  });
  const [outerFd, countersFd] = [mapGetFdById(outer.id), mapGetFdById(counters.id)];
  const program = loadProgram({}, reader(outerFd, countersFd));
  closeFd(outerFd);
  closeFd(countersFd);

  const script = resolve(import.meta.dirname, "support/run-program.mjs");
  const child = spawn(process.execPath, [script, pinProgram(daemon, program)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  onTestFinished(async () => {
    child.stdin.end();
    await exit;
  });
  await once(child.stdout, "data");

  const runs: bigint[] = [];
  for (let number = 2; number <= 5; number++) {
    await replace(outer, generation(number, COUNT));
    const told = Buffer.from((await counters.handle.lookup(u32Keys(0))) as Uint8Array);
    expect(told.readBigUInt64LE(MISSING)).toBe(0n);
    expect(told.readBigUInt64LE(MIXED)).toBe(0n);
    runs.push(told.readBigUInt64LE(RUNS));
  }
  expect(runs.every((count, index) => count > (runs[index - 1] ?? 0n))).toBe(true);
  const inner = daemon.client.map({ id: (await innerId(outer)) as number });
  expect(await inner.count()).toMatchObject({ count: BigInt(COUNT) });
});

it("is dumped recursively: each inner map under its key, the outer summary last", async () => {
  const outer = await makeOuter(MapType.HASH_OF_MAPS, innerSpec());
  const inner = [
    await makeObjectMap(daemon, innerSpec()),
    await makeObjectMap(daemon, innerSpec()),
  ] as const;
  await inner[0].handle.update(u32Keys(1), Buffer.alloc(8, 1));
  await inner[1].handle.update(u32Keys(2), Buffer.alloc(8, 2));
  await writeObjects(daemon, outer, [
    [40, mapValue(inner[0])],
    [50, mapValue(inner[1])],
  ]);
  const story: unknown[] = [];
  const dump = daemon.client.maps.dumpMap({ map: outer.handle.ref, recursive: true });
  for await (const { kind } of dump) {
    if (kind.case === "header") {
      const { map, outerKey } = kind.value;
      story.push({ map: map?.id, under: outerKey && Buffer.from(outerKey).readUInt32LE() });
    } else if (kind.case === "elements") {
      story.push({ count: kind.value.count, objects: kind.value.objectValues.length });
    } else {
      story.push(kind.case);
    }
  }
  expect(story).toHaveLength(9);
  expect(story[0]).toEqual({ map: outer.id, under: undefined });
  expect(story[1]).toEqual({ count: 2, objects: 2 });
  for (const [at, key] of [
    [0, 40],
    [1, 50],
  ] as const) {
    const index = story.findIndex((told) => (told as { under?: number }).under === key);
    expect(story.slice(index, index + 3)).toEqual([
      { map: inner[at].id, under: key },
      { count: 1, objects: 0 },
      "summary",
    ]);
  }
  expect(story.at(-1)).toBe("summary");
  const plain = daemon.client.maps.dumpMap({ map: inner[0].handle.ref, recursive: true });
  await expect(plain[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    violations: [{ field: "recursive" }],
  });
});

it("tells the template of the inner maps where one is there", async () => {
  const outer = await makeOuter(MapType.ARRAY_OF_MAPS, innerSpec());
  expect((await outer.handle.get({ innerMap: true })).innerMapSpec).toBeUndefined();
  const inner = await makeObjectMap(daemon, innerSpec());
  await writeObjects(daemon, outer, [[1, mapValue(inner)]]);
  expect((await outer.handle.get({ innerMap: true })).innerMapSpec).toMatchObject(innerSpec());
  expect((await outer.handle.get()).innerMapSpec).toBeUndefined();
});
