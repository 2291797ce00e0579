import { mapRef, status } from "@bpfmapd/client";
import {
  Availability,
  CreateFlag,
  MapOperation,
  MapType,
  type MapTypeCapabilities,
} from "@bpfmapd/client/proto";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { bpftool, freesSurely, mapExists, shownMap } from "./support/bpftool.js";
import { openMaps } from "./support/daemon-state.js";
import { uniqueName } from "./support/plain-map.js";

interface Spec {
  readonly type: MapType;
  readonly name?: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags?: number;
  readonly innerMapSpec?: Spec;
  readonly btfVmlinuxValueTypeId?: number;
}

let daemon: TestDaemon;
let capabilities: MapTypeCapabilities[];
let pageSize: number;
let bpftoolProbed: { readonly map_types: Readonly<Record<string, boolean>> };
beforeAll(async () => {
  daemon = await startDaemon();
  ({ types: capabilities } = await daemon.client.host.getCapabilities({}));
  pageSize = (await daemon.client.host.getHost({})).host!.pageSize;
  bpftoolProbed = bpftool("feature", "probe", "kernel") as typeof bpftoolProbed;
});
afterAll(() => daemon?.dispose());

const ALL_TYPES = Object.values(MapType).filter(
  (type): type is MapType => typeof type === "number" && type !== MapType.UNSPECIFIED,
);

const capabilitiesOf = (type: MapType) => capabilities.find((one) => one.type === type)!;

/** The smallest map of a type, as a controller finds it from the capabilities alone. */
function smallest(type: MapType): Spec {
  const of = capabilitiesOf(type);
  const isRing = type === MapType.RINGBUF || type === MapType.USER_RINGBUF;
  return {
    type,
    name: uniqueName(),
    keySize: of.minKeySize,
    valueSize: of.minValueSize,
    maxEntries: of.zeroMaxEntries ? 0 : isRing ? pageSize : 1,
    flags: of.requiredCreateFlags,
    ...(isMapInMap(type) && {
      innerMapSpec: { type: MapType.ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 },
    }),
    ...(type === MapType.STRUCT_OPS && structOpsValue()),
  };
}

function isMapInMap(type: MapType): boolean {
  return type === MapType.ARRAY_OF_MAPS || type === MapType.HASH_OF_MAPS;
}

/** A value type of the running kernel for struct_ops, as bpftool reads its BTF. */
function structOpsValue(): Pick<Spec, "valueSize" | "btfVmlinuxValueTypeId"> {
  const { types } = bpftool("btf", "dump", "file", "/sys/kernel/btf/vmlinux") as {
    types: { id: number; kind: string; name: string; size: number }[];
  };
  const name = "bpf_struct_ops_tcp_congestion_ops";
  const value = types.find((type) => type.kind === "STRUCT" && type.name === name);
  if (!value) throw new Error(`the kernel has no ${name}`);
  return { btfVmlinuxValueTypeId: value.id, valueSize: value.size };
}

describe("GetCapabilities", () => {
  it("answers each type that bpftool probes as bpftool does", () => {
    const told = Object.fromEntries(
      capabilities.map(({ name, availability }) => [
        `have_${name}_map_type`,
        availability === Availability.AVAILABLE,
      ]),
    );
    expect(Object.keys(bpftoolProbed.map_types).length).toBeGreaterThan(30);
    expect(told).toMatchObject(bpftoolProbed.map_types);
  });

  it("has every type of the contract once, by ascending number", () => {
    expect(capabilities.map(({ type }) => type)).toEqual(ALL_TYPES);
  });

  it("answers only the types asked for, and UNSPECIFIED ones for types that it does not know", async () => {
    const { types } = await daemon.client.host.getCapabilities({
      types: [MapType.QUEUE, MapType.HASH, MapType.HASH, 4000 as MapType],
    });
    expect(types.map(({ type }) => type)).toEqual([MapType.HASH, MapType.QUEUE, 4000]);
    expect(types[0]).toEqual(capabilitiesOf(MapType.HASH));
    expect(types[2]!.availability).toBe(Availability.UNSPECIFIED);
  });
});

const MISSING = "this kernel does not have the map type";

describe.each(ALL_TYPES.map((type) => ({ type, name: MapType[type] })))("$name", ({ type }) => {
  const isAvailable = () => capabilitiesOf(type).availability === Availability.AVAILABLE;

  it("is created, held and pinned, and is what bpftool shows of it", async ({ skip }) => {
    if (!isAvailable()) return skip(MISSING);
    const { spec, id, pinPath } = await make(type);
    const map = await daemon.client.map({ id }).get({ pins: true });
    const isDevmap = type === MapType.DEVMAP || type === MapType.DEVMAP_HASH;
    expect(map).toMatchObject({
      type,
      name: spec.name,
      keySize: spec.keySize,
      valueSize: spec.valueSize,
      maxEntries: spec.maxEntries,
      // The kernel shows devmaps with RDONLY_PROG, which it does not take for them.
      flags: spec.flags! | (isDevmap ? CreateFlag.RDONLY_PROG : 0),
      frozen: false,
      pinPaths: [pinPath],
      holds: [{ name: spec.name }],
    });
    const shown = shownMap(id);
    // The number where the type is newer than bpftool.
    expect([capabilitiesOf(type).name, type]).toContain(shown.type);
    expect(shown).toMatchObject({
      name: spec.name,
      flags: map.flags,
      bytes_key: map.keySize,
      bytes_value: map.valueSize,
      max_entries: map.maxEntries,
      bytes_memlock: Number(map.memlockBytes),
      frozen: 0,
    });
  });

  it("is opened by every reference, and listed by its type", async ({ skip }) => {
    if (!isAvailable()) return skip(MISSING);
    const { spec, id, pinPath } = await make(type);
    const name = spec.name!;
    for (const ref of [{ id }, { pinPath }, { name }, { held: name }]) {
      expect((await daemon.client.map(ref).get()).id).toBe(id);
    }
    const { maps } = await daemon.client.maps.listMaps({
      filter: { types: [type] },
      pageSize: 10_000,
    });
    expect(maps.map((map) => map.id)).toContain(id);
    expect(new Set(maps.map((map) => map.type))).toEqual(new Set([type]));
  });

  it("lives by its hold without a pin, by a pin without a hold, and not without both", async ({
    skip,
  }) => {
    if (!isAvailable()) return skip(MISSING);
    const { spec, id, pinPath } = await make(type);
    const { maps } = daemon.client;
    await maps.unpinMap({ path: pinPath });
    expect(mapExists(id)).toBe(true);
    const elsewhere = `${pinPath}_2`;
    await maps.pinMap({ map: mapRef({ id }), path: elsewhere });
    await maps.releaseMap({ name: spec.name! });
    expect(mapExists(id)).toBe(true);
    const again = `${spec.name}-again`;
    const { map } = await maps.holdMap({
      map: mapRef({ pinPath: elsewhere }),
      hold: { name: again },
    });
    expect(map!.holds.map((hold) => hold.name)).toEqual([again]);
    await maps.unpinMap({ path: elsewhere });
    expect(mapExists(id)).toBe(true);
    await maps.releaseMap({ name: again });
    await expectFreed(id, type);
  });

  it("is frozen where the capabilities have it, and refuses to be where not", async ({ skip }) => {
    if (!isAvailable()) return skip(MISSING);
    const { id } = await make(type);
    const handle = daemon.client.map({ id });
    const freezes = capabilitiesOf(type).operations.includes(MapOperation.FREEZE);
    if (freezes) await handle.freeze();
    else {
      const refused = { code: status.UNIMPLEMENTED, reason: "OPERATION_NOT_SUPPORTED" };
      await expect(handle.freeze()).rejects.toMatchObject(refused);
    }
    expect((await handle.get()).frozen).toBe(freezes);
    expect(shownMap(id).frozen).toBe(freezes ? 1 : 0);
  });
});

it("types that this kernel does not have are refused by name", async () => {
  for (const { type, name, availability } of capabilities) {
    if (availability === Availability.AVAILABLE) continue;
    const hold = { name: uniqueName() };
    await expect(
      daemon.client.maps.createMap({ spec: smallest(type), hold }),
    ).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
      reason: "UNKNOWN_MAP_TYPE",
      message: expect.stringContaining(name),
      violations: [{ field: "spec.type" }],
    });
  }
});

describe.each([MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS])("a map of maps (type %i)", (type) => {
  it("takes an existing map as the template of its inner maps", async () => {
    const { id: inner } = await make(MapType.HASH);
    const { innerMapSpec: _, ...spec } = smallest(type);
    const innerMap = mapRef({ id: inner });
    const name = spec.name!;
    const { map } = await daemon.client.maps.createMap({
      spec: { ...spec, innerMap },
      hold: { name },
    });
    expect(map).toMatchObject({ type, name });
    await daemon.client.maps.releaseMap({ name });
    await expectFreed(map!.id, type);
  });

  it("needs exactly one template, which other types must not have", async () => {
    const { innerMapSpec, ...spec } = smallest(type);
    const innerMap = mapRef({ id: 1 });
    const hold = { name: uniqueName() };
    const wrong = [
      spec,
      { ...spec, innerMapSpec, innerMap },
      { ...smallest(MapType.HASH), innerMapSpec },
    ];
    for (const one of wrong) {
      await expect(daemon.client.maps.createMap({ spec: one, hold })).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        reason: "SPEC_INVALID",
        violations: [{ field: expect.stringMatching(/^spec\.inner_map/) }],
      });
    }
  });
});

/** A smallest map of a type, pinned and held; gone when the test ends. */
async function make(type: MapType) {
  const spec = smallest(type);
  const name = spec.name!;
  const pinPath = `${daemon.bpffs}/${name}`;
  const { map, created } = await daemon.client.maps.createMap({ spec, hold: { name }, pinPath });
  expect(created).toBe(true);
  onTestFinished(async () => {
    await daemon.client.maps.releaseMap({ name }).catch(() => {});
    await daemon.client.maps.unpinMap({ path: pinPath }).catch(() => {});
  });
  return { spec, id: map!.id, pinPath };
}

/** The kernel frees maps of some types only after all programs that may use them have run. */
async function expectFreed(id: number, type: MapType) {
  expect(openMaps(daemon.pid)).not.toContain(id);
  if (!freesSurely(capabilitiesOf(type).name)) return;
  await vi.waitFor(() => expect(mapExists(id)).toBe(false), { timeout: 20_000, interval: 50 });
}
