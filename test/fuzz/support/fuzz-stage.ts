import { mapRef } from "@bpfmapd/client";
import {
  Availability,
  CreateFlag,
  MapOperation,
  MapType,
  type MapTypeCapabilities,
} from "@bpfmapd/client/proto";
import { loadProgram, makeCgroup, type TestProgram } from "../../objects/support/objects.js";
import { SocketProcess } from "../../objects/support/sockets.js";
import { bpftool, freesSurely, type ShownMap } from "../../service/support/bpftool.js";
import { openMaps, pinTree } from "../../service/support/daemon-state.js";
import type { TestDaemon } from "../../support/daemon.js";
import { fuzzTypes } from "./fuzz-types.js";

/** All names of maps that the requests make begin with it, unlike those of other tests. */
export const PREFIX = `q${process.pid.toString(36)}_`;

/** What a map of the stage is made from. */
export interface FuzzSpec {
  readonly type: MapType;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags?: number;
  readonly innerMapSpec?: FuzzSpec;
  readonly btf?: Uint8Array;
  readonly btfKeyTypeId?: number;
  readonly btfValueTypeId?: number;
}

/** A map that random requests are about. */
export interface FuzzMap extends FuzzSpec {
  readonly id: number;
  /** Its name, the name of its hold, and of its pin. */
  readonly name: string;
  readonly pinPath: string;
  readonly valueStride: number;
}

/** Kernel objects that requests may name. */
export interface FuzzObjects {
  readonly program: TestProgram;
  readonly cgroup: { readonly path: string; readonly id: bigint };
  /** A process with a socket of each kind that maps take. */
  readonly sockets: SocketProcess;
}

const bytes = { keySize: 4, valueSize: 8, maxEntries: 16 };
const values = { ...bytes, keySize: 0 };

/** Shapes that are wanted otherwise than the smallest that the kernel takes. */
const SHAPES: { readonly [type: number]: Omit<FuzzSpec, "type"> } = {
  [MapType.HASH]: bytes,
  [MapType.ARRAY]: { ...bytes, flags: CreateFlag.MMAPABLE },
  [MapType.PERCPU_HASH]: bytes,
  [MapType.PERCPU_ARRAY]: bytes,
  [MapType.LRU_HASH]: bytes,
  [MapType.LRU_PERCPU_HASH]: bytes,
  [MapType.LPM_TRIE]: { ...bytes, keySize: 8, flags: CreateFlag.NO_PREALLOC },
  [MapType.QUEUE]: values,
  [MapType.STACK]: values,
  [MapType.BLOOM_FILTER]: values,
  [MapType.SOCKMAP]: bytes,
  [MapType.SOCKHASH]: bytes,
};

/** struct_ops maps have a type of the kernel's for their value, which brings no more requests. */
const LEFT_OUT: readonly MapType[] = [MapType.STRUCT_OPS];

/** A place of its own for the arena, where neither this process nor the daemon has anything. */
const ARENA_ADDRESS = 1n << 44n;

/** Maps of all types, and other objects of the kernel, for random requests to be about. */
export class FuzzStage {
  readonly maps: FuzzMap[] = [];
  /** Specs that the kernel takes. */
  readonly specs: readonly FuzzSpec[];
  readonly objects: FuzzObjects;
  readonly #daemon: TestDaemon;

  private constructor(daemon: TestDaemon, specs: readonly FuzzSpec[], objects: FuzzObjects) {
    this.#daemon = daemon;
    this.specs = specs;
    this.objects = objects;
  }

  /** Makes all of it, inside a test; {@link strike} takes the maps away again. */
  static async set(daemon: TestDaemon): Promise<FuzzStage> {
    const { types } = await daemon.client.host.getCapabilities({});
    const specs = types
      .filter(({ type, availability }) => {
        return availability === Availability.AVAILABLE && !LEFT_OUT.includes(type);
      })
      .map(specOf);
    const sockets = await SocketProcess.start("tcp_connected", "udp_bound", "udp_reuseport", "xdp");
    const objects = { program: loadProgram(), cgroup: makeCgroup(), sockets };
    const stage = new FuzzStage(daemon, specs, objects);
    for (const spec of specs) await stage.#make(spec);
    await stage.#make({ ...bytes, type: MapType.HASH, ...fuzzTypes() });
    await stage.#make({ ...bytes, type: MapType.ARRAY, ...fuzzTypes() });
    // A ring has one writer, so that there must be several for writes to meet free ones.
    const ring = specs.find(({ type }) => type === MapType.USER_RINGBUF);
    for (let more = 0; ring && more < 5; more++) await stage.#make(ring);
    for (const type of [MapType.HASH, MapType.ARRAY, MapType.QUEUE]) {
      const map = await stage.#make({ ...SHAPES[type]!, type });
      const canFreeze = types.find((one) => one.type === type)?.operations;
      if (!canFreeze?.includes(MapOperation.FREEZE)) continue;
      await daemon.client.map({ id: map.id }).freeze();
    }
    return stage;
  }

  /** What the names of maps begin with. */
  get prefix(): string {
    return PREFIX;
  }

  get bpffs(): string {
    return this.#daemon.bpffs;
  }

  /** A directory that requests may name files of. */
  get directory(): string {
    return this.#daemon.directory;
  }

  async #make(spec: FuzzSpec): Promise<FuzzMap> {
    const name = `${PREFIX}${this.maps.length}`;
    const pinPath = `${this.bpffs}/${name}`;
    const { map } = await this.#daemon.client.maps.createMap({
      spec: {
        ...spec,
        name,
        ...(spec.type === MapType.ARENA && { mapExtra: ARENA_ADDRESS }),
        ...(spec.innerMapSpec && { innerMapSpec: { ...spec.innerMapSpec, name } }),
      },
      hold: { name },
      pinPath,
    });
    const { id, valueStride } = map!;
    const made = { ...spec, id, name, pinPath, valueStride };
    this.maps.push(made);
    return made;
  }

  /** Holds a map under names. */
  async holdUnder(names: readonly string[]): Promise<void> {
    const map = mapRef({ id: this.maps[0]!.id });
    for (const name of names) await this.#daemon.client.maps.holdMap({ map, hold: { name } });
  }

  /** Releases and unpins all that there is. */
  async strike(): Promise<void> {
    const { maps } = this.#daemon.client;
    // An AF_XDP socket keeps the map that it is in, until one of the two goes.
    for (const index of this.objects.sockets.fds.keys()) await this.objects.sockets.close(index);
    for (;;) {
      const held = await maps.listMaps({ filter: { held: true }, pageSize: 10_000 });
      if (held.maps.length === 0) break;
      for (const { name } of held.maps.flatMap(({ holds }) => holds)) {
        await maps.releaseMap({ name }).catch(() => {}); // its lease ran out
      }
    }
    for (const path of pinTree(this.bpffs).reverse()) {
      const unpin = maps.unpinMap({ path: this.bpffs + path, removeEmptyParents: true });
      await unpin.catch(() => {}); // a directory, or the daemon's own
    }
  }

  /** What is left of the maps that requests made: must be nothing after {@link strike}. */
  leftovers(): { open: number[]; pins: string[]; maps: string[] } {
    const maps = (bpftool("map", "show") as ShownMap[]).filter(({ type }) => freesSurely(type));
    return {
      open: openMaps(this.#daemon.pid),
      pins: pinTree(this.bpffs).filter((path) => path !== "/bpfmapd"),
      maps: maps.map(({ name = "" }) => name).filter((name) => name.startsWith(PREFIX)),
    };
  }
}

/** A small map of a type, as its capabilities tell that the kernel takes it. */
function specOf(capabilities: MapTypeCapabilities): FuzzSpec {
  const { type, minKeySize, minValueSize, zeroMaxEntries, requiredCreateFlags } = capabilities;
  const isMapInMap = type === MapType.ARRAY_OF_MAPS || type === MapType.HASH_OF_MAPS;
  const isRing = type === MapType.RINGBUF || type === MapType.USER_RINGBUF;
  return {
    type,
    keySize: minKeySize,
    valueSize: minValueSize,
    maxEntries: zeroMaxEntries ? 0 : isRing ? 4096 : 4,
    flags: requiredCreateFlags,
    ...(isMapInMap && { innerMapSpec: { ...bytes, type: MapType.HASH } }),
    ...SHAPES[type],
  };
}
