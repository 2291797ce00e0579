import { mapRef } from "@bpfmapd/client";
import { LoadStrategy, MapType } from "@bpfmapd/client/proto";
import { ELEMENTS, elements, type FaultStage, type Picture, u32, valueAt } from "./fault-stage.js";

type Change = (before: Picture, stage: FaultStage) => Picture;

/** A call, and what there is after it where nothing goes wrong. */
export interface Operation {
  readonly name: string;
  act(stage: FaultStage): Promise<unknown>;
  /** Absent for calls that change nothing. */
  readonly change?: Change;
  /** Whether a call that fails on the way may have changed some of the elements. */
  readonly inParts?: boolean;
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** The picture with other elements; undefined removes one. */
function withElements(changes: Iterable<readonly [Uint8Array, Uint8Array | undefined]>): Change {
  return (before) => {
    const after = new Map(Object.entries(before.elements));
    for (const [key, value] of changes) {
      if (value === undefined) after.delete(hex(key));
      else after.set(hex(key), hex(value));
    }
    return { ...before, elements: Object.fromEntries([...after].sort()) };
  };
}

const sorted = <T>(items: readonly T[]): T[] => [...items].sort();

/** Elements 2 and 3 changed, 4 and 5 new, 0 and 1 gone. */
const REPLACED = elements(2, 4, 1);
const GONE = [0, 1].map((index): [Buffer, undefined] => [u32(index), undefined]);

/** Every kind of call whose system calls can fail. */
export const OPERATIONS: readonly Operation[] = [
  { name: "ListMaps", act: ({ client }) => client.maps.listMaps({ pageSize: 10 }) },
  { name: "GetMap", act: ({ handle }) => handle.get() },
  { name: "LookupElements", act: ({ handle }) => handle.lookup(u32(1)) },
  { name: "NextKey", act: ({ handle }) => handle.nextKey() },
  { name: "CountElements", act: ({ handle }) => handle.count() },
  {
    name: "DumpMap",
    async act({ handle }) {
      let count = 0;
      for await (const _ of handle.dump()) count++;
      // A dump that succeeds has all.
      if (count !== ELEMENTS) throw new Error(`the dump has ${count} elements`);
    },
  },
  {
    name: "Watch",
    async act({ client, handle }) {
      for await (const { kind } of client.maps.watch({ map: handle.ref })) {
        if (kind.case === "bookmark" && kind.value.snapshotDone) return;
      }
      throw new Error("the watch ended before its snapshot was whole");
    },
  },
  {
    name: "UpdateElements of one",
    act: ({ handle }) => handle.update(u32(1), valueAt(1, 1)),
    change: withElements(elements(1, 1, 1)),
  },
  {
    name: "UpdateElements of three",
    act: ({ handle }) => handle.updateMany(elements(2, 3, 1)),
    change: withElements(elements(2, 3, 1)),
    inParts: true,
  },
  {
    name: "DeleteElements",
    act: ({ handle }) => handle.deleteMany([u32(0), u32(1)]),
    change: withElements(GONE),
    inParts: true,
  },
  {
    name: "TakeElements",
    act: ({ handle }) => handle.take(u32(0)),
    change: withElements([[u32(0), undefined]]),
  },
  {
    name: "LoadMap",
    act: ({ handle }) => handle.load(REPLACED),
    change: withElements(REPLACED),
    inParts: true,
  },
  {
    name: "LoadMap with REPLACE",
    act: ({ handle }) => handle.load(REPLACED, { strategy: LoadStrategy.REPLACE }),
    change: withElements([...REPLACED, ...GONE]),
    inParts: true,
  },
  {
    name: "ClearMap",
    act: ({ handle }) => handle.clear(),
    change: withElements(elements(0, ELEMENTS, 0).map(([key]) => [key, undefined] as const)),
    inParts: true,
  },
  {
    name: "FreezeMap",
    act: ({ handle }) => handle.freeze(),
    change: (before) => ({ ...before, frozen: true }),
  },
  {
    name: "PinMap",
    act: ({ client, id, pin }) => client.maps.pinMap({ map: mapRef({ id }), path: `${pin}-2` }),
    change: (before, { name }) => ({ ...before, pins: sorted([...before.pins, `/${name}-2`]) }),
  },
  {
    name: "HoldMap",
    act: ({ client, id, name }) =>
      client.maps.holdMap({ map: mapRef({ id }), hold: { name: `${name}-2` } }),
    change: (before, { name, id }) => ({
      ...before,
      holds: sorted([...before.holds, `${name}-2`]),
      pins: sorted([...before.pins, `/bpfmapd/${name}-2`]),
      open: [...before.open, id].sort((a, b) => a - b),
    }),
  },
  {
    name: "CreateMap, pinned, with elements",
    act: ({ client, pin }) =>
      client.maps.createMap({
        spec: { type: MapType.HASH, keySize: 4, valueSize: 8, maxEntries: 8 },
        pinPath: `${pin}-2`,
        initialElements: { count: 1, keys: u32(0), values: valueAt(0, 0) },
      }),
    change: (before, { name }) => ({ ...before, pins: sorted([...before.pins, `/${name}-2`]) }),
  },
];
