import { MapType, Projection } from "@bpfmapd/client/proto";
import { u32 } from "./elements.js";
import type { Dice, FieldMaker, Mender } from "./random-messages.js";
import type { RandomStage, StageMap } from "./random-stage.js";

/** Names of the holds that requests ask for. */
export const HOLDS = Array.from({ length: 400 }, (_, index) => `r${index}`);

const rarely =
  <T>(probability: number, make: (dice: Dice) => T) =>
  (dice: Dice): T | undefined =>
    dice.chance(probability) ? make(dice) : undefined;

/**
 * Makers of the fields that name or size something. Ids and names are of the stage's maps
 * or of none at all: other tests run on the same kernel.
 */
export function fieldMakers({ maps, prefix, bpffs }: RandomStage): Record<string, FieldMaker> {
  const names = maps.map(({ name }) => name);
  const hold = (dice: Dice) =>
    dice.pick(dice.chance(0.9) ? HOLDS : [...names, "", "../x", "a b", "x".repeat(64)]);
  const path = (dice: Dice) => {
    const name = dice.pick([...names, "p1", "p2", "p3", "d/p4", "d/e/f/p5", "d", "x.y", ""]);
    const isGood = dice.chance(0.95);
    return isGood ? `${bpffs}/${name}` : dice.pick(["", "/", "/tmp/x", "x", `${bpffs}/../x`]);
  };
  const detail = (dice: Dice) => ({ pins: dice.chance(0.02), holders: dice.chance(0.002) });
  const stale = rarely(0.05, (dice) => dice.pick(["", "x", "b".repeat(65)]));
  return {
    // A map by name is looked for among all that the host has, which takes its time.
    "MapRef.ref": (dice) =>
      dice.chance(0.01) ? "name" : dice.pick(["id", "id", "pin_path", "held"]),
    "MapRef.id": (dice) => (dice.chance(0.95) ? dice.pick(maps).id : dice.pick([0, 2 ** 32 - 1])),
    "MapRef.name": (dice) => dice.pick(dice.chance(0.9) ? names : ["", "-", prefix]),
    "MapRef.held": (dice) => (dice.chance(0.9) ? dice.pick(names) : hold(dice)),
    "MapRef.pin_path": (dice) => (dice.chance(0.8) ? dice.pick(maps).pinPath : path(dice)),
    "MapRef.boot_id": stale,
    "MapSpec.type": (dice) => dice.pick([0, 1, 1, 2, 5, 6, 9, 11, 22, 30, 99, dice.number(36)]),
    "MapSpec.name": (dice) => dice.pick(["", `${prefix}x`, `${prefix}y`, "no-name"]),
    "MapSpec.key_size": (dice) => dice.pick([0, 0, 1, 4, 4, 4, 4, 8, 260, 2 ** 32 - 1]),
    "MapSpec.value_size": (dice) => dice.pick([0, 1, 4, 4, 8, 8, 8, 64, 1000, 2 ** 32 - 1]),
    // No more: the kernel takes memory for all of them at once.
    "MapSpec.max_entries": (dice) => dice.pick([0, 1, 1, 2, 16, 64, 4096]),
    "MapSpec.flags": (dice) => dice.pick([0, 0, 0, 0, 1, 2, 4, 8, 128, 1024, 2 ** 25, 2 ** 32 - 1]),
    "MapSpec.map_extra": rarely(0.1, (dice) => dice.pick([1n, 16n, 2n ** 63n])),
    "MapSpec.numa_node": rarely(0.05, (dice) => dice.pick([1, 900])),
    "MapSpec.ifindex": rarely(0.05, (dice) => dice.pick([1, 2 ** 31])),
    "MapSpec.inner_map_spec": rarely(0.1, () => ({
      type: 2,
      keySize: 4,
      valueSize: 8,
      maxEntries: 1,
    })),
    "MapSpec.inner_map": rarely(0.05, () => ({ ref: { case: "id", value: maps[0]!.id } })),
    "MapSpec.btf_vmlinux_value_type_id": rarely(0.05, (dice) => dice.number(100_000)),
    "CreateMapRequest.pin_path": rarely(0.4, path),
    "CreateMapRequest.initial_elements": rarely(0.1, elements),
    "HoldSpec.name": hold,
    "HoldSpec.lease": rarely(0.3, (dice) => ({ seconds: BigInt(dice.pick([1, 60, 60, 0, 1e9])) })),
    "ReleaseMapRequest.name": hold,
    "KeepAliveRequest.names": (dice) => Array.from({ length: dice.number(4) }, () => hold(dice)),
    "PinMapRequest.path": path,
    "UnpinMapRequest.path": path,
    // A dump that is throttled to a few elements a second would last.
    "DumpMapRequest.max_elements_per_second": rarely(0.2, (dice) =>
      dice.pick([10_000, 2 ** 32 - 1]),
    ),
    "DumpMapRequest.progress_interval": rarely(0.2, (dice) => ({
      nanos: dice.pick([1, 1e8, 9e8]),
    })),
    "ListMapsRequest.page_size": (dice) => dice.pick([1, 1, 2, 3, 10_001]),
    "ListMapsRequest.page_token": (dice) => dice.pick(["", "", "AAAAAQ", "AAAA", "?"]),
    "ListMapsRequest.filter": rarely(0.002, () => ({ nameGlob: `${prefix}*`, types: [1, 2] })),
    "ListMapsRequest.detail": detail,
    "GetMapRequest.detail": detail,
  };
}

type Init = Record<string, unknown>;
type Ref = { ref?: { case?: string; value?: unknown } };

/** Menders that give elements the sizes of the map that the request is about. */
export function messageMenders(stage: RandomStage): Record<string, Mender> {
  const mapOf = (ref: unknown): StageMap | undefined => {
    const value = (ref as Ref | undefined)?.ref?.value;
    return stage.maps.find(({ id, name, pinPath }) => [id, name, pinPath].includes(value as never));
  };
  const byKeys: Mender = (init, dice) => {
    const map = mapOf(init.map);
    if (map) Object.assign(init, { count: 2, keys: keysFor(map, 2, dice), lock: false });
    fitCpus(init, map);
  };
  const fitFilter: Mender = (init, dice) => {
    const map = mapOf(init.map);
    if (map) init.filter = dice.pick([undefined, undefined, filterFor(map, dice)]);
    fitCpus(init, map);
  };
  let loaded: StageMap | undefined;
  return {
    CreateMapRequest: (init, dice) => {
      const spec = init.spec as Init | undefined;
      const good = dice.pick(stage.specs);
      init.spec = { ...(dice.chance(0.2) && spec), ...good, name: `${stage.prefix}z` };
      init.hold ??= { name: dice.pick(HOLDS) };
    },
    LookupElementsRequest: byKeys,
    DeleteElementsRequest: byKeys,
    TakeElementsRequest: byKeys,
    UpdateElementsRequest: (init, dice) => {
      const map = mapOf(init.map);
      if (map) Object.assign(init, { elements: elementsFor(map, dice), lock: false });
      delete init.cpuTarget;
    },
    CountElementsRequest: fitFilter,
    DumpMapRequest: fitFilter,
    LoadStart: (init) => {
      delete init.cpuTarget;
    },
    NextKeyRequest: (init, dice) => {
      const map = mapOf(init.map);
      if (map && init.key) init.key = keysFor(map, 1, dice);
    },
    PushElementsRequest: (init, dice) => {
      const map = mapOf(init.map);
      if (map) Object.assign(init, { count: 2, values: dice.bytes(2 * map.valueSize) });
    },
    LoadMapRequest: (init, dice) => {
      const kind = init.kind as { case: string; value: Init } | undefined;
      if (kind?.case === "start") loaded = mapOf(kind.value.map);
      else if (kind && loaded) kind.value = elementsFor(loaded, dice);
    },
  };
}

function fitCpus(init: Init, map: StageMap | undefined): void {
  if (map?.type !== MapType.PERCPU_HASH || init.projection === Projection.KEYS) delete init.cpuView;
}

function filterFor(map: StageMap, dice: Dice) {
  return {
    keyPrefix: dice.bytes(dice.number(map.keySize + 1)),
    ...(dice.chance(0.5) && { keyRange: { start: keysFor(map, 1, dice) } }),
    ...(dice.chance(0.5) && { valueMatch: { mask: dice.bytes(2), match: dice.bytes(2) } }),
  };
}

function elements(dice: Dice) {
  return { count: dice.pick([1, 1, 2, 0]), keys: dice.bytes(4), values: dice.bytes(8) };
}

function keysFor({ keySize }: StageMap, count: number, dice: Dice): Buffer {
  const keys = Array.from({ length: count }, () => {
    const key = Buffer.alloc(keySize);
    u32(dice.number(20)).copy(key);
    return key;
  });
  return Buffer.concat(keys);
}

function elementsFor(map: StageMap, dice: Dice) {
  const count = 1 + dice.number(3);
  return { count, keys: keysFor(map, count, dice), values: dice.bytes(count * map.valueStride) };
}
