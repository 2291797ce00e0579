import { connect } from "@bpfmapd/client";
import { MapOperation, type MapTypeCapabilities } from "@bpfmapd/client/proto";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import {
  asDumped,
  bpftool,
  bpftoolText,
  dataWords,
  dumpByBpftool,
  jsonWords,
  shownMap,
} from "./support/bpftool.js";
import { collect, hex } from "./support/elements.js";
import {
  makeMap,
  PLAIN_TYPES,
  type PlainMap,
  type PlainTypeName,
  type Shape,
  sampleBytes,
  sampleKey,
  samples,
  sampleValue,
  uniqueName,
} from "./support/plain-map.js";

const MIB = 1 << 20;

let daemon: TestDaemon;
let capabilities: MapTypeCapabilities[];
beforeAll(async () => {
  // An array's value of 16 MiB is larger than the message limit without this.
  daemon = await startDaemon({ args: ["--max-message-bytes", "32MiB"] });
  ({ types: capabilities } = await daemon.client.host.getCapabilities({}));
});
afterAll(() => daemon?.dispose());

/** A size in bytes, or the largest that the running kernel takes. */
type Size = number | "limit";

const KEYED: Partial<Record<PlainTypeName, [keySize: Size, valueSize: Size][]>> = {
  HASH: [
    [1, 1],
    [4, 8],
    [3, 5],
    [16, 64],
    [512, 100],
    [4, MIB],
    ["limit", 1],
    [1, "limit"],
  ],
  LRU_HASH: [
    [1, 1],
    [4, 8],
    [7, 33],
    [512, 4096],
    [4, MIB],
    [1, "limit"],
  ],
  PERCPU_HASH: [
    [1, 1],
    [4, 8],
    [5, 9],
    [512, 100],
    [4, "limit"],
  ],
  LRU_PERCPU_HASH: [
    [1, 1],
    [4, 8],
    [6, 20],
    [4, "limit"],
  ],
  ARRAY: [
    [4, 1],
    [4, 3],
    [4, 8],
    [4, 4096],
    [4, MIB],
  ],
  PERCPU_ARRAY: [
    [4, 1],
    [4, 8],
    [4, 13],
    [4, "limit"],
  ],
  LPM_TRIE: [
    [5, 1],
    [8, 4],
    [20, 8],
    ["limit", 100],
    [8, MIB],
    [8, "limit"],
  ],
};

const keyedCases = Object.entries(KEYED).flatMap(([type, sizes]) =>
  sizes.map(([keySize, valueSize]) => ({ type: type as PlainTypeName, keySize, valueSize })),
);

const capabilitiesOf = (type: PlainTypeName) =>
  capabilities.find((one) => one.type === PLAIN_TYPES[type].type)!;

const can = (type: PlainTypeName, operation: MapOperation) =>
  capabilitiesOf(type).operations.includes(operation);

/** The shape of a case, with as many elements as 256 KiB hold, from 2 to 64. */
function shapeFor(c: { type: PlainTypeName; keySize: Size; valueSize: Size }): Shape {
  const { maxKeySize, maxValueSize } = capabilitiesOf(c.type);
  const keySize = c.keySize === "limit" ? maxKeySize : c.keySize;
  const valueSize = c.valueSize === "limit" ? maxValueSize : c.valueSize;
  const maxEntries = Math.max(2, Math.min(64, Math.floor(MIB / 4 / (keySize + valueSize))));
  return { type: c.type, keySize, valueSize, maxEntries };
}

/** How many elements a map surely keeps. */
function elementsThatFit({ type, maxEntries }: Shape): number {
  // LRU maps evict long before they are full: each CPU keeps free elements for itself,
  // and the daemon may move from one to the other.
  return Math.max(1, Math.floor(maxEntries * (type.startsWith("LRU_") ? 0.25 : 0.75)));
}

/** All elements as the service dumps them, without views of larger memory. */
async function dumpOf(map: PlainMap): Promise<[Uint8Array, Uint8Array][]> {
  const elements = await collect(map.handle.dump());
  return elements.map(([key, value]) => [key.slice(), value.slice()]);
}

/** The service's dump, bpftool's dump and the model are one. */
async function expectSame(map: PlainMap, model: Iterable<[Uint8Array, Uint8Array]>) {
  const expected = asDumped(model, map.info);
  const dumped = asDumped(await dumpOf(map), map.info);
  expect(dumped.length).toBe(expected.length);
  expect(dumped).toEqual(expected);
  expect(dumpByBpftool(map.id)).toEqual(expected);
}

/** What an array's elements are from the start, and nothing for other types. */
function untouched(map: PlainMap, from: number): [Buffer, Buffer][] {
  if (PLAIN_TYPES[map.shape.type].keyed !== "index") return [];
  const count = map.shape.maxEntries - from;
  const zero = Buffer.alloc(map.info.valueStride);
  return Array.from({ length: count }, (_, at) => [sampleKey(map.shape, from + at), zero]);
}

describe.each(keyedCases)("$type, key $keySize, value $valueSize", (c) => {
  it("is what bpftool shows of it", async () => {
    const shape = shapeFor(c);
    const { info, name } = await makeMap(daemon, shape);
    expect(shownMap(info.id)).toMatchObject({
      id: info.id,
      type: PLAIN_TYPES[c.type].name,
      name,
      flags: info.flags,
      bytes_key: shape.keySize,
      bytes_value: shape.valueSize,
      max_entries: info.maxEntries,
      bytes_memlock: Number(info.memlockBytes),
      frozen: 0,
    });
    expect(info).toMatchObject({ keySize: shape.keySize, valueSize: shape.valueSize });
  });

  it("updates, looks up, deletes and takes elements, one and many, as bpftool sees them", async () => {
    const shape = shapeFor(c);
    const map = await makeMap(daemon, shape);
    const count = elementsThatFit(shape);
    const [first, ...rest] = samples(map, 0, count) as [[Buffer, Buffer], ...[Buffer, Buffer][]];

    await map.handle.update(...first);
    expect(hex((await map.handle.lookup(first[0]))!)).toBe(hex(first[1]));
    const { applied } = rest.length > 0 ? await map.handle.updateMany(rest) : { applied: 0 };
    expect(applied).toBe(rest.length);
    await expectSame(map, [first, ...rest, ...untouched(map, count)]);

    const changed = samples(map, 0, count, 3);
    await map.handle.updateMany(changed);
    const values = await map.handle.lookupMany(changed.map(([key]) => key));
    expect(values.map((value) => hex(value!))).toEqual(changed.map(([, value]) => hex(value)));

    const left = [...changed];
    if (can(c.type, MapOperation.DELETE)) {
      const [gone] = left.shift()!;
      expect(await map.handle.delete(gone)).toBe(true);
      expect(await map.handle.delete(gone)).toBe(false);
      const many = left.splice(0, Math.floor(left.length / 3)).map(([key]) => key);
      if (many.length > 0) expect((await map.handle.deleteMany(many)).applied).toBe(many.length);
    }
    if (can(c.type, MapOperation.LOOKUP_AND_DELETE) && left.length > 0) {
      const [key, value] = left.shift()!;
      expect(hex((await map.handle.take(key))!)).toBe(hex(value));
      expect(await map.handle.take(key)).toBeUndefined();
      const many = left.splice(0, Math.floor(left.length / 2));
      const taken = await map.handle.takeMany(many.map(([each]) => each));
      expect(taken.map((each) => hex(each!))).toEqual(many.map(([, each]) => hex(each)));
    }
    await expectSame(map, [...left, ...untouched(map, count)]);
  });

  it("walks its keys to the end, counts, loads and clears them", async () => {
    const map = await makeMap(daemon, shapeFor(c));
    const count = elementsThatFit(map.shape);
    const elements = samples(map, 0, count, 5);
    const { written } = await map.handle.load(elements);
    expect(written).toBe(BigInt(count));
    const isArray = PLAIN_TYPES[c.type].keyed === "index";
    const all = isArray ? map.shape.maxEntries : count;
    expect((await map.handle.count()).count).toBe(BigInt(all));
    const keys = new Set<string>();
    let key = await map.handle.nextKey();
    for (; key; key = await map.handle.nextKey(key)) keys.add(hex(key));
    expect(keys.size).toBe(all);
    await map.handle.clear();
    await expectSame(map, untouched(map, 0));
  });

  it("is the same map by id, pin, hold and name", async () => {
    const map = await makeMap(daemon, shapeFor(c));
    const [key, value] = samples(map, 1, 2, 7)[0]!;
    await map.handle.update(key, value);
    const { id, pinPath, name } = map;
    const bootId = map.info.bootId;
    for (const ref of [{ id, bootId }, { pinPath }, { held: name }, { name }]) {
      const handle = daemon.client.map(ref);
      expect((await handle.get({ pins: true })).id).toBe(id);
      expect((await handle.get({ pins: true })).pinPaths).toEqual([pinPath]);
      expect(hex((await handle.lookup(key))!)).toBe(hex(value));
    }
  });

  it("can no longer be written once it is frozen, but read", async () => {
    const map = await makeMap(daemon, shapeFor(c));
    const [element] = samples(map, 1, 2);
    await map.handle.update(...element!);
    await map.handle.freeze();
    expect((await map.handle.get()).frozen).toBe(true);
    expect(shownMap(map.id).frozen).toBe(1);
    const refused = { reason: "MAP_FROZEN" };
    await expect(map.handle.update(element![0], sampleValue(map, 1, 9))).rejects.toMatchObject(
      refused,
    );
    await expect(map.handle.freeze()).rejects.toMatchObject(refused);
    expect(hex((await map.handle.lookup(element![0]))!)).toBe(hex(element![1]));
  });

  it("reads what bpftool wrote into a map of its own", async ({ skip }) => {
    const shape = shapeFor(c);
    // bpftool takes bytes as words of its command line, which has a limit.
    if (shape.keySize + shape.valueSize > 64 * 1024) return skip();
    const name = uniqueName();
    const pin = `${daemon.bpffs}/${name}`;
    const { name: type, flags, perCpu } = PLAIN_TYPES[c.type];
    const words = `type ${type} key ${shape.keySize} value ${shape.valueSize} entries ${shape.maxEntries}`;
    bpftool(
      ..."map create".split(" "),
      pin,
      ...words.split(" "),
      "name",
      name,
      "flags",
      `${flags}`,
    );
    const handle = daemon.client.map({ pinPath: pin });
    const info = await handle.get();
    const map: PlainMap = { shape, info, id: info.id, name, pinPath: pin, hold: "", handle };
    const count = Math.min(5, Math.max(1, Math.floor(shape.maxEntries / 2)));
    for (let index = 0; index < count; index++) {
      const value = sampleBytes(shape.valueSize, index, 4);
      const data = ["key", ...dataWords(sampleKey(shape, index)), "value", ...dataWords(value)];
      bpftool("map", "update", "pinned", pin, ...data);
    }
    const dumped = asDumped(await dumpOf(map), info);
    expect(dumped).toEqual(dumpByBpftool(info.id));
    for (let index = 0; index < count; index++) {
      const value = sampleBytes(shape.valueSize, index, 4);
      const key = sampleKey(shape, index);
      const slots = perCpu ? info.cpus.map((cpu) => ({ cpu })) : [{}];
      for (const slot of slots) expect(hex((await handle.lookup(key, slot))!)).toBe(hex(value));
    }
    await daemon.client.maps.unpinMap({ path: pin });
  });
});

it("dumps an array whose value has 16 MiB, equal to what bpftool dumps", async () => {
  const shape: Shape = { type: "ARRAY", keySize: 4, valueSize: 16 * MIB, maxEntries: 1 };
  const map = await makeMap(daemon, shape);
  const value = sampleBytes(16 * MIB, 1, 6);
  for (let at = 0; at < value.length; at += 4096) value.writeUInt32LE(at, at);
  await map.handle.update(sampleKey(shape, 0), value);
  const client = connect({ address: `unix:${daemon.socket}`, maxMessageBytes: 32 * MIB });
  onTestFinished(() => client.close());
  const [[key, dumped]] = (await collect(client.map({ id: map.id }).dump())) as [
    [Uint8Array, Uint8Array],
  ];
  expect(Buffer.compare(dumped, value)).toBe(0);
  const json = Buffer.concat([
    ...['[{"key":[', jsonWords(key), '],"value":[', jsonWords(dumped), "]}]"].map((part) =>
      Buffer.from(part),
    ),
  ]);
  const oracle = bpftoolText("map", "dump", "id", String(map.id));
  expect(Buffer.compare(json, oracle.subarray(0, json.length))).toBe(0);
  expect(oracle.subarray(json.length).toString().trim()).toBe("");
});
