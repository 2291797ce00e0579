import { BpfmapError, status } from "@bpfmapd/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { bpftool, bpftoolCan, dataWords, shownMap } from "./support/bpftool.js";
import { hex, u64 } from "./support/elements.js";
import {
  makeMap,
  PLAIN_TYPES,
  type PlainMap,
  type PlainTypeName,
  sampleBytes,
  shapeOf,
  uniqueName,
} from "./support/plain-map.js";

let daemon: TestDaemon;
let limits: ReadonlyMap<string, number>;
beforeAll(async () => {
  daemon = await startDaemon();
  const { types } = await daemon.client.host.getCapabilities({});
  limits = new Map(types.map(({ name, maxValueSize }) => [name, maxValueSize]));
});
afterAll(() => daemon?.dispose());

type Keyless = "QUEUE" | "STACK" | "BLOOM_FILTER";

/** A map for 10 values of a size, or of the largest that the kernel takes. */
function make(type: Keyless, size: number | "limit", more = {}): Promise<PlainMap> {
  const valueSize = size === "limit" ? limits.get(PLAIN_TYPES[type].name)! : size;
  // Each value takes its memory at once.
  const maxEntries = size === "limit" ? 2 : 10;
  return makeMap(daemon, shapeOf(type, { valueSize, maxEntries, ...more }));
}

const valuesOf = ({ shape }: PlainMap, count = shape.maxEntries) =>
  Array.from({ length: count }, (_, index) => sampleBytes(shape.valueSize, index, 2));

const hexes = (values: readonly Uint8Array[]) => values.map(hex);

/** The value that bpftool prints, in hexadecimal. */
function printed(answer: unknown): string | undefined {
  const { value } = (answer ?? {}) as { value?: string[] };
  return value?.map((word) => word.slice(2)).join("");
}

/** On an emulated CPU each of the largest takes half a minute. */
const LARGEST = process.env.BPFMAPD_TEST_EMULATED ? 65_536 : "limit";

const both = (["QUEUE", "STACK"] as const).flatMap((type) =>
  ([1, 3, 8, 100, 4096, LARGEST] as const).map((size) => ({ type, size })),
);

describe.each(both)("a $type of values of $size bytes", ({ type, size }) => {
  const inOrder = <T>(values: readonly T[]) => (type === "QUEUE" ? values : values.toReversed());

  it("gives values in its order, peeks at the next, and is empty after the last", async () => {
    const map = await make(type, size);
    const values = valuesOf(map);
    expect(await map.handle.push(values)).toBe(values.length);
    const expected = inOrder(hexes(values));
    expect(hex((await map.handle.peek())!)).toBe(expected[0]);
    expect(printed(bpftool("map", "peek", "id", String(map.id)))).toBe(expected[0]);
    expect(hexes(await map.handle.pop())).toEqual(expected.slice(0, 1));
    expect(hexes(await map.handle.pop(1000))).toEqual(expected.slice(1));
    expect(await map.handle.pop(5)).toEqual([]);
    expect(await map.handle.peek()).toBeUndefined();
    expect(bpftoolCan("map", "peek", "id", String(map.id))).toBe(false);
  });

  it("drops its oldest values where that is asked for", async () => {
    const map = await make(type, size);
    const values = valuesOf(map, map.shape.maxEntries + 1);
    await map.handle.push(values.slice(0, -1));
    await expect(map.handle.push(values.slice(-1))).rejects.toMatchObject({ reason: "MAP_FULL" });
    await map.handle.push(values.slice(-1), { overwriteOldest: true });
    expect(hexes(await map.handle.pop(1000))).toEqual(inOrder(hexes(values.slice(1))));
  });

  it("is filled by a load and emptied by a clear", async () => {
    const map = await make(type, size);
    const values = valuesOf(map);
    const none = Buffer.alloc(0);
    const loaded = await map.handle.load(values.map((value) => [none, value] as const));
    expect(loaded).toMatchObject({
      received: BigInt(values.length),
      written: BigInt(values.length),
    });
    expect(hex((await map.handle.peek())!)).toBe(inOrder(hexes(values))[0]);
    expect((await map.handle.clear()).removed).toBe(BigInt(values.length));
    expect(await map.handle.peek()).toBeUndefined();
  });
});

describe.each(["QUEUE", "STACK", "BLOOM_FILTER"] as const)("a %s", (type) => {
  it("is the same map by id, pin, hold and name, and what bpftool shows", async () => {
    const map = await make(type, 8);
    await map.handle.push([u64(7)]);
    const { id, pinPath, name } = map;
    expect(shownMap(id)).toMatchObject({
      type: PLAIN_TYPES[type].name,
      bytes_key: 0,
      bytes_value: 8,
      name,
    });
    for (const ref of [{ id }, { pinPath }, { held: name }, { name }]) {
      const handle = daemon.client.map(ref);
      expect((await handle.get()).id).toBe(id);
      if (type === "BLOOM_FILTER") expect(await handle.mayContain(u64(7))).toBe(true);
      else expect(hex((await handle.peek())!)).toBe(hex(u64(7)));
    }
  });

  it("tells how many values went in before it was full", async () => {
    if (type === "BLOOM_FILTER") return;
    const map = await make(type, 8);
    const tooMany = valuesOf(map, 13);
    const error = await map.handle.push(tooMany).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BpfmapError);
    expect(error).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      reason: "MAP_FULL",
      metadata: { index: "10", applied: "10" },
    });
    expect((await map.handle.pop(100)).length).toBe(10);
  });
});

describe.each(["QUEUE", "STACK"] as const)("a %s shared with bpftool", (type) => {
  /** Where it was made and filled by bpftool. */
  function byBpftool(values: readonly Uint8Array[], size: number): string {
    const pin = `${daemon.bpffs}/${uniqueName()}`;
    const words = `type ${PLAIN_TYPES[type].name} key 0 value ${size} entries 10 name bt`;
    bpftool("map", "create", pin, ...words.split(" "));
    for (const value of values) bpftool("map", "push", "pinned", pin, "value", ...dataWords(value));
    return pin;
  }

  it.each([1, 5, 8, 3000])("reads values of %i bytes that bpftool pushed", async (size) => {
    const values = Array.from({ length: 6 }, (_, index) => sampleBytes(size, index, 9));
    const path = byBpftool(values, size);
    const popped = await daemon.client.map({ pinPath: path }).pop(10);
    expect(hexes(popped)).toEqual(hexes(type === "QUEUE" ? values : values.toReversed()));
    await daemon.client.maps.unpinMap({ path });
  });

  it("gives bpftool what it was given", async () => {
    const map = await make(type, 8);
    const values = valuesOf(map);
    await map.handle.push(values);
    const pop = () => printed(bpftool("map", "pop", "id", String(map.id)));
    const popped = Array.from({ length: values.length }, pop);
    expect(popped).toEqual(hexes(type === "QUEUE" ? values : values.toReversed()));
  });
});

describe.each([1, 8, 100, 4096, LARGEST] as const)(
  "a BLOOM_FILTER of values of %s bytes",
  (size) => {
    it("never denies a value that was added, and not all that were not", async () => {
      const map = await make("BLOOM_FILTER", size);
      const values = valuesOf(map, Math.min(10, map.shape.maxEntries));
      expect(await map.handle.push(values)).toBe(values.length);
      for (const value of values) expect(await map.handle.mayContain(value)).toBe(true);
      const others = Array.from({ length: 20 }, (_, index) =>
        Buffer.alloc(map.shape.valueSize, 201 + index),
      );
      const found = await Promise.all(others.map((other) => map.handle.mayContain(other)));
      expect(found).toContain(false);
    });

    it("has what bpftool and a load added", async () => {
      const map = await make("BLOOM_FILTER", size);
      const [first, second] = valuesOf(map, 2) as [Buffer, Buffer];
      await map.handle.load([[Buffer.alloc(0), first]]);
      expect(await map.handle.mayContain(first)).toBe(true);
      if (second.length > 4096) return;
      bpftool("map", "push", "id", String(map.id), "value", ...dataWords(second));
      expect(await map.handle.mayContain(second)).toBe(true);
    });
  },
);

it("pops no more at a time than a message holds, and loses none", async () => {
  const type: PlainTypeName = "QUEUE";
  const map = await makeMap(daemon, shapeOf(type, { valueSize: 1 << 20, maxEntries: 40 }));
  for (let index = 0; index < 40; index += 10) {
    const some = Array.from({ length: 10 }, (_, at) => sampleBytes(1 << 20, index + at));
    await map.handle.push(some);
  }
  const order: number[] = [];
  for (
    let popped = await map.handle.pop(100);
    popped.length > 0;
    popped = await map.handle.pop(100)
  ) {
    expect(popped.length).toBeLessThanOrEqual(16);
    order.push(...popped.map((value) => Buffer.from(value).readUInt32LE()));
  }
  expect(order).toEqual(Array.from({ length: 40 }, (_, index) => index));
});
