import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  clearMap,
  countElements,
  createMap,
  deleteElements,
  dumpMap,
  freezeMap,
  loadMap,
  lookupElements,
  MapHost,
  type MapRecord,
  type MapRef,
  MapType,
  peekElement,
  pinMap,
  popElements,
  pushElements,
  releaseMap,
  takeElements,
  unpinMap,
  updateElements,
} from "#dist/maps/index.js";
import { type PrivateBpffs, privateBpffs } from "../../cli/support/bpftool.js";
import { byKey, columnsOf, range, rows, streamOf } from "../../maps/support/elements.js";
import { WALKABLE } from "../../maps/support/kernel-map.js";
import { bpftoolDump, bpftoolHas } from "../support/bpftool.js";

const ENTRIES = 60;
const NEVER = new AbortController().signal;
const ROOM = { before: 0, between: 0 };

let bpffs: PrivateBpffs;
let host: MapHost;

beforeAll(async () => {
  bpffs = privateBpffs();
  host = await open();
});

afterAll(async () => {
  await host.close();
  bpffs.dispose();
});

function open(): Promise<MapHost> {
  return MapHost.open({
    bpffsRoots: [bpffs.path],
    mountBpffs: false,
    holdDirectory: join(bpffs.path, "bpfmapd"),
    limits: {
      dedupMemoryBytes: 1 << 20,
      replaceMemoryBytes: 1 << 20,
      maxMessageBytes: 1 << 20,
      maxScans: 2,
      scanThreads: 1,
    },
  });
}

async function create(type: keyof typeof MapType, name: string): Promise<MapRecord> {
  const isTrie = type === "LPM_TRIE";
  const spec = {
    type: MapType[type],
    name,
    keySize: isTrie ? 8 : 4,
    valueSize: 16,
    // A small LRU map evicts long before it is full: CPUs reserve elements in batches of
    // up to 128 (LOCAL_FREE_TARGET of kernel/bpf/bpf_lru_list.c).
    maxEntries: type.startsWith("LRU") ? 2000 : ENTRIES,
    flags: isTrie ? 1 : 0,
    mapExtra: 0n,
    numaNode: 0,
    ifindex: 0,
    btfVmlinuxValueTypeId: 0,
  };
  const hold = { name };
  const request = { spec, hold, createParents: false, ifExists: "error", freeze: false } as const;
  const { map } = await createMap(host, request);
  return map;
}

async function dump(map: MapRef, stride: number, keySize: number) {
  const elements: [Buffer, Buffer][] = [];
  let complete = false;
  for await (const item of dumpMap(
    host,
    { map, projection: "keys_and_values", room: ROOM },
    NEVER,
  )) {
    if (item.kind === "chunk") {
      const { buffer, keysLength, valuesLength } = item.chunk;
      const keys = rows(buffer.subarray(0, keysLength), keySize);
      const values = rows(buffer.subarray(keysLength, keysLength + valuesLength), stride);
      elements.push(...keys.map((key, index): [Buffer, Buffer] => [key, values[index] as Buffer]));
    }
    if (item.kind === "summary") complete = item.summary.complete;
  }
  return { elements, complete };
}

test.each(WALKABLE)("%s: load, dump, take, delete, replace, count, clear", async (type) => {
  const isArray = type === "ARRAY" || type === "PERCPU_ARRAY";
  const isTrie = type === "LPM_TRIE";
  const map = await create(type, `whole_${type.slice(0, 9)}`);
  const ref: MapRef = { by: "id", id: map.id };
  const { keySize, valueStride } = map;
  const layout = { keySize, valueStride } as Parameters<typeof range>[0];
  const elements = (from: number, to: number) =>
    range(layout, from, to, isTrie ? "prefix" : "bytes");
  const loaded = elements(0, ENTRIES - 20);

  const merge = { map: ref, strategy: "merge", dryRun: false } as const;
  const result = await loadMap(host, merge, streamOf([columnsOf(loaded)]), NEVER);
  expect(result).toMatchObject({ received: loaded.length, written: loaded.length });
  const dumped = await dump(ref, valueStride, keySize);
  expect(dumped.complete).toBe(true);
  expect(byKey(dumped.elements)).toEqual(bpftoolDump(map.id));
  if (!isArray) expect(byKey(dumped.elements)).toEqual(byKey(loaded));

  const first = loaded.slice(0, 2);
  const keys = Buffer.concat(first.map(([key]) => key));
  const some = { map: ref, keys, count: 2, onError: "stop" } as const;
  const found = await lookupElements(host, { ...some, lock: false });
  expect(rows(found.elements.values, valueStride)).toEqual(first.map(([, value]) => value));
  if (isArray) {
    await expect(deleteElements(host, some)).rejects.toMatchObject({
      reason: "OPERATION_NOT_SUPPORTED",
    });
  } else if (host.capabilities.supports(map.type, "lookup_and_delete")) {
    const taken = await takeElements(host, some);
    expect(rows(taken.elements.values, valueStride)).toEqual(first.map(([, value]) => value));
  } else {
    expect(await deleteElements(host, some)).toMatchObject({ applied: 2 });
  }

  const desired = isArray ? elements(0, ENTRIES) : elements(30, 50);
  const replace = { ...merge, strategy: "replace" } as const;
  await loadMap(host, replace, streamOf([columnsOf(desired)]), NEVER);
  expect(bpftoolDump(map.id)).toEqual(byKey(desired));
  expect(await countElements(host, ref, undefined, NEVER)).toMatchObject({
    count: desired.length,
    complete: true,
  });

  if (!isArray) {
    expect(await clearMap(host, ref, NEVER)).toEqual({ removed: desired.length });
    expect(bpftoolDump(map.id).size).toBe(0);
  }
  await releaseMap(host, map.holds[0]?.name as string);
  await expect.poll(() => bpftoolHas(map.id)).toBe(false);
});

test("one CPU's slot is written and read, also of a CPU that is not online", async () => {
  const cpus = host.identity.possibleCpus;
  const last = cpus.at(-1) as number;
  const map = await create("PERCPU_HASH", "slots");
  expect(map.valueStride).toBe(cpus.length * 16);
  const ref: MapRef = { by: "held", held: "slots" };
  const keys = Buffer.from([1, 2, 3, 4]);
  const update = { map: ref, mode: "any", lock: false, onError: "stop" } as const;
  for (const cpu of [0, last]) {
    const elements = { count: 1, keys, values: Buffer.alloc(16, cpu + 1) };
    await updateElements(host, { ...update, elements, cpuTarget: { cpu } });
  }
  for (const cpu of cpus) {
    const lookup = { map: ref, keys, count: 1, onError: "stop", lock: false } as const;
    const { elements } = await lookupElements(host, { ...lookup, cpuView: { cpu } });
    const written = cpu === 0 || cpu === last ? cpu + 1 : 0;
    expect(Buffer.from(elements.values)).toEqual(Buffer.alloc(16, written));
  }
  await releaseMap(host, "slots");
});

test("a queue and a stack give back what was pushed, a bloom filter knows it", async () => {
  const values = Buffer.from(Array.from({ length: 36 }, (_, index) => index));
  for (const type of ["QUEUE", "STACK", "BLOOM_FILTER"] as const) {
    const spec = { type: MapType[type], name: type, keySize: 0, valueSize: 12, maxEntries: 8 };
    const { map } = await createMap(host, {
      spec: { ...spec, flags: 0, mapExtra: 0n, numaNode: 0, ifindex: 0, btfVmlinuxValueTypeId: 0 },
      hold: { name: type },
      createParents: false,
      ifExists: "error",
      freeze: false,
    });
    const ref: MapRef = { by: "id", id: map.id };
    await pushElements(host, { map: ref, values, count: 3, overwriteOldest: false });
    if (type === "BLOOM_FILTER") {
      const asked = { map: ref, value: values.subarray(12, 24) };
      expect(await peekElement(host, asked)).toMatchObject({ found: true });
    } else {
      const popped = rows((await popElements(host, { map: ref, maxCount: 8 })).values, 12);
      const pushed = rows(values, 12);
      expect(popped).toEqual(type === "QUEUE" ? pushed : pushed.reverse());
    }
    await releaseMap(host, type);
  }
});

test("a pin keeps a map, a freeze its contents, and a hold survives the host", async () => {
  const path = join(bpffs.path, "frozen");
  const map = await create("HASH", "kept");
  const ref: MapRef = { by: "pinPath", pinPath: path };
  await pinMap(host, { by: "held", held: "kept" }, path, false);
  await freezeMap(host, ref);
  const elements = { count: 1, keys: Buffer.alloc(4), values: Buffer.alloc(16) };
  const update = { map: ref, elements, mode: "any", lock: false, onError: "stop" } as const;
  await expect(updateElements(host, update)).rejects.toMatchObject({ reason: "MAP_FROZEN" });
  await unpinMap(host, path, false);

  await host.close();
  host = await open();
  expect(bpftoolHas(map.id)).toBe(true);
  expect(host.holds.has("kept")).toBe(true);
  await releaseMap(host, "kept");
  await expect.poll(() => bpftoolHas(map.id)).toBe(false);
});
