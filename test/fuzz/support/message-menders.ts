import { LoadStrategy, MapType, Projection } from "@bpfmapd/client/proto";
import { u32 } from "../../service/support/elements.js";
import type { Dice } from "./dice.js";
import { HOLDS } from "./field-makers.js";
import type { FuzzMap, FuzzStage } from "./fuzz-stage.js";
import { KEY_TEXTS, VALUE_TEXTS } from "./fuzz-types.js";
import type { Mender } from "./message-maker.js";

type Init = Record<string, unknown>;
type Ref = { ref?: { case?: string; value?: unknown } };

/** Menders that give elements the sizes of the map that the request is about. */
export function messageMenders(stage: FuzzStage): Record<string, Mender> {
  const mapOf = (ref: unknown): FuzzMap | undefined => {
    const value = (ref as Ref | undefined)?.ref?.value;
    return stage.maps.find(({ id, name, pinPath }) => [id, name, pinPath].includes(value as never));
  };
  const elementsOf = (map: FuzzMap, dice: Dice) => elementsFor(map, stage, dice);
  const typed: Mender = (init, dice) => {
    // Most types are the map's own.
    if (!dice.chance(0.05)) delete init.typing;
    const map = mapOf(init.map);
    if (!map?.btf && !dice.chance(0.05)) delete init.format;
  };
  const byKeys: Mender = (init, dice) => {
    typed(init, dice);
    const map = mapOf(init.map);
    if (map) Object.assign(init, keysFor(map, stage, 2, dice), { lock: false });
    fitCpus(init, map);
  };
  const fitFilter: Mender = (init, dice) => {
    typed(init, dice);
    const map = mapOf(init.map);
    if (map) init.filter = dice.pick([undefined, undefined, filterFor(map, dice)]);
    if (!map?.btf && !dice.chance(0.1)) delete init.order;
    fitCpus(init, map);
  };
  let loaded: FuzzMap | undefined;
  return {
    CreateMapRequest: (init, dice) => {
      typed(init, dice);
      const spec = init.spec as Init | undefined;
      const good = dice.pick(stage.specs);
      init.spec = {
        ...(dice.chance(0.2) && spec),
        ...good,
        ...(good.innerMapSpec && {
          innerMapSpec: { ...good.innerMapSpec, name: `${stage.prefix}i` },
        }),
        name: `${stage.prefix}z`,
      };
      init.hold ??= { name: dice.pick(HOLDS) };
      if (!dice.chance(0.1)) delete init.initialElements;
    },
    LookupElementsRequest: byKeys,
    DeleteElementsRequest: byKeys,
    TakeElementsRequest: byKeys,
    UpdateElementsRequest: (init, dice) => {
      typed(init, dice);
      const map = mapOf(init.map);
      if (map) Object.assign(init, { elements: elementsOf(map, dice), lock: false });
      delete init.cpuTarget;
    },
    CountElementsRequest: fitFilter,
    AggregateElementsRequest: (init, dice) => {
      fitFilter(init, dice);
      const map = mapOf(init.map);
      init.fields = fieldsFor(map, dice);
      init.top = dice.pick([undefined, { limit: 1 + dice.number(5), jsonKeys: map?.btf ?? false }]);
    },
    DumpMapRequest: fitFilter,
    GetMapSchemaRequest: typed,
    WatchRequest: (init, dice) => {
      typed(init, dice);
      const map = mapOf(init.map);
      init.filter = undefined;
      init.start = dice.pick([undefined, { case: "from", value: dice.number(3) }]);
      if (init.projection === Projection.VALUES) delete init.projection;
      fitCpus(init, map);
    },
    ReadRecordsRequest: (init, dice) => {
      if (mapOf(init.map)?.type !== MapType.PERF_EVENT_ARRAY) delete init.slot;
      if (!init.slot && !dice.chance(0.2)) delete init.pagesPerCpu;
    },
    LoadStart: (init, dice) => {
      typed(init, dice);
      delete init.cpuTarget;
      const map = mapOf(init.map);
      if (!map?.innerMapSpec || dice.chance(0.3)) return;
      Object.assign(init, { strategy: LoadStrategy.REPLACE_ATOMIC, outerKey: u32(dice.number(3)) });
    },
    NextKeyRequest: (init, dice) => {
      typed(init, dice);
      const map = mapOf(init.map);
      if (map && init.key) Object.assign(init, { key: bytesOfKeys(map, 1, dice) });
    },
    PushElementsRequest: (init, dice) => {
      typed(init, dice);
      const map = mapOf(init.map);
      if (map) Object.assign(init, { count: 2, values: dice.bytes(2 * map.valueSize) });
      delete init.jsonValues;
    },
    PeekElementRequest: (init, dice) => {
      typed(init, dice);
      const map = mapOf(init.map);
      if (map?.type === MapType.BLOOM_FILTER) init.value = dice.bytes(map.valueSize);
      else delete init.value;
      delete init.jsonValue;
    },
    LoadMapRequest: (init, dice) => {
      const kind = init.kind as { case: string; value: Init } | undefined;
      if (kind?.case === "start") loaded = mapOf(kind.value.map);
      // A load into the slot of a map of maps is one into a map such as the first.
      else if (kind && loaded) {
        kind.value = elementsOf(loaded.innerMapSpec ? stage.maps[0]! : loaded, dice);
      }
    },
    WriteRecordsRequest: (init, dice) => {
      const kind = init.kind as { case: string; value: Init } | undefined;
      if (kind?.case !== "records") return;
      const sizes = Array.from({ length: dice.number(4) }, () => dice.pick([0, 1, 8, 100]));
      kind.value = { sizes, data: dice.bytes(sizes.reduce((sum, size) => sum + size, 0)) };
    },
  };
}

function fitCpus(init: Init, map: FuzzMap | undefined): void {
  const isPerCpu = map !== undefined && MapType[map.type].includes("PERCPU");
  if (!isPerCpu || init.projection === Projection.KEYS) delete init.cpuView;
}

function filterFor(map: FuzzMap, dice: Dice) {
  return {
    keyPrefix: dice.bytes(dice.number(map.keySize + 1)),
    ...(dice.chance(0.5) && { keyRange: { start: bytesOfKeys(map, 1, dice) } }),
    ...(dice.chance(0.5) && { valueMatch: { mask: dice.bytes(2), match: dice.bytes(2) } }),
    ...(map.btf &&
      dice.chance(0.7) && {
        fields: [{ field: "value.delta", comparison: 1 + dice.number(6), jsonValue: "0" }],
      }),
  };
}

function fieldsFor(map: FuzzMap | undefined, dice: Dice) {
  const size = map?.valueSize ?? 8;
  const raw = () => ({ offset: dice.number(size + 1), type: 1 + dice.number(8) });
  const path = () => dice.pick(["value.delta", "value", "key", "value.none"]);
  const place = () =>
    map?.btf && dice.chance(0.5) ? { case: "path", value: path() } : { case: "raw", value: raw() };
  return Array.from({ length: 1 + dice.number(3) }, () => ({
    field: place(),
    fold: dice.number(4),
    histogram: dice.chance(0.5),
  }));
}

function bytesOfKeys({ keySize }: FuzzMap, count: number, dice: Dice): Buffer {
  const keys = Array.from({ length: count }, () => {
    const key = Buffer.alloc(keySize);
    u32(dice.number(20)).copy(key);
    return key;
  });
  return Buffer.concat(keys);
}

/** Keys in one of the forms that the map takes, and the other forms away. */
function keysFor(map: FuzzMap, stage: FuzzStage, count: number, dice: Dice): Init {
  const rest = { keys: new Uint8Array(0), objectKeys: [], jsonKeys: [], count };
  const object = objectKeyFor(map.type, stage);
  if (object && dice.chance(0.7)) {
    return { ...rest, objectKeys: Array.from({ length: count }, () => ({ object })) };
  }
  if (map.btf && dice.chance(0.5)) {
    return { ...rest, jsonKeys: Array.from({ length: count }, () => dice.pick(KEY_TEXTS)) };
  }
  return { ...rest, keys: bytesOfKeys(map, count, dice) };
}

function elementsFor(map: FuzzMap, stage: FuzzStage, dice: Dice): Init {
  const count = 1 + dice.number(3);
  const keys = keysFor(map, stage, count, dice);
  const several = <T>(make: () => T) => Array.from({ length: count }, make);
  const object = objectValueFor(map.type, stage, dice);
  if (object && dice.chance(0.9)) return { ...keys, objectValues: several(() => ({ object })) };
  if (map.btf && dice.chance(0.5)) {
    return { ...keys, jsonValues: several(() => dice.pick(VALUE_TEXTS)) };
  }
  return { ...keys, values: dice.bytes(count * map.valueStride) };
}

/** A key that the type takes, if its keys are objects. */
function objectKeyFor(type: MapType, { objects, directory }: FuzzStage): Init | undefined {
  switch (type) {
    case MapType.SK_STORAGE:
      return { case: "socket", value: objects.sockets.ref(0) };
    case MapType.INODE_STORAGE:
      return { case: "path", value: directory };
    case MapType.TASK_STORAGE:
      return { case: "task", value: { pid: objects.sockets.pid } };
    case MapType.CGRP_STORAGE:
      return { case: "cgroup", value: { ref: { case: "path", value: objects.cgroup.path } } };
    default:
      return undefined;
  }
}

/** A value that the type takes, if its values are objects. */
function objectValueFor(type: MapType, stage: FuzzStage, dice: Dice): Init | undefined {
  const { objects, maps } = stage;
  switch (type) {
    case MapType.PROG_ARRAY:
      return { case: "program", value: { ref: { case: "id", value: objects.program.id } } };
    case MapType.ARRAY_OF_MAPS:
    case MapType.HASH_OF_MAPS: {
      const inner = dice.pick(maps.filter((map) => map.type === MapType.HASH));
      return { case: "map", value: { ref: { case: "id", value: inner.id } } };
    }
    case MapType.CGROUP_ARRAY:
      return { case: "cgroup", value: { ref: { case: "path", value: objects.cgroup.path } } };
    case MapType.DEVMAP:
    case MapType.DEVMAP_HASH:
      return { case: "device", value: { interface: { ref: { case: "name", value: "lo" } } } };
    case MapType.CPUMAP:
      return { case: "cpu", value: { queueSize: 8 } };
    case MapType.SOCKMAP:
    case MapType.SOCKHASH:
    case MapType.REUSEPORT_SOCKARRAY:
    case MapType.XSKMAP:
      return { case: "socket", value: objects.sockets.ref(dice.number(4)) };
    case MapType.PERF_EVENT_ARRAY:
      return {
        case: "perfEvent",
        value: { ref: { case: "spec", value: { type: 1, config: 10n, cpu: 0 } } },
      };
    default:
      return undefined;
  }
}
