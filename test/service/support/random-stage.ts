import { mapRef } from "@bpfmapd/client";
import { MapType } from "@bpfmapd/client/proto";
import type { TestDaemon } from "../../support/daemon.js";
import { bpftool, freesSurely, type ShownMap } from "./bpftool.js";
import { openMaps, pinTree } from "./daemon-state.js";

/** All names of maps that random requests make begin with it, unlike those of other tests. */
const PREFIX = `q${process.pid.toString(36)}`;

interface Spec {
  readonly type: MapType;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags?: number;
}

/** A map that random requests are about. */
export interface StageMap extends Spec {
  readonly id: number;
  /** Its name, the name of its hold, and of its pin. */
  readonly name: string;
  readonly pinPath: string;
  readonly valueStride: number;
}

const plain = { keySize: 4, valueSize: 8, maxEntries: 16 };
const SPECS: readonly Spec[] = [
  { ...plain, type: MapType.HASH },
  { ...plain, type: MapType.ARRAY },
  { ...plain, type: MapType.PERCPU_HASH },
  { ...plain, type: MapType.LRU_HASH },
  { ...plain, type: MapType.LPM_TRIE, keySize: 8, flags: 1 },
  { ...plain, type: MapType.QUEUE, keySize: 0 },
  { ...plain, type: MapType.STACK, keySize: 0 },
  { ...plain, type: MapType.BLOOM_FILTER, keySize: 0 },
  { ...plain, type: MapType.PROG_ARRAY, valueSize: 4 },
  { ...plain, type: MapType.PERF_EVENT_ARRAY, valueSize: 4 },
  { ...plain, type: MapType.RINGBUF, keySize: 0, valueSize: 0, maxEntries: 4096 },
];

/** Maps for random requests to be about. */
export class RandomStage {
  readonly maps: StageMap[] = [];
  readonly #daemon: TestDaemon;

  private constructor(daemon: TestDaemon) {
    this.#daemon = daemon;
  }

  static async set(daemon: TestDaemon): Promise<RandomStage> {
    const stage = new RandomStage(daemon);
    for (const spec of SPECS) await stage.#make(spec);
    return stage;
  }

  /** Specs that the kernel takes, small ones. */
  get specs(): readonly Spec[] {
    return SPECS;
  }

  /** What the names of maps begin with. */
  get prefix(): string {
    return PREFIX;
  }

  get bpffs(): string {
    return this.#daemon.bpffs;
  }

  async #make(spec: Spec): Promise<void> {
    const name = `${PREFIX}${this.maps.length}`;
    const pinPath = `${this.bpffs}/${name}`;
    const { map } = await this.#daemon.client.maps.createMap({
      spec: { ...spec, name },
      hold: { name },
      pinPath,
    });
    const { id, valueStride } = map!;
    this.maps.push({ ...spec, id, name, pinPath, valueStride });
  }

  /** Holds a map under names. */
  async holdUnder(names: readonly string[]): Promise<void> {
    const map = mapRef({ id: this.maps[0]!.id });
    for (const name of names) await this.#daemon.client.maps.holdMap({ map, hold: { name } });
  }

  /** Releases and unpins all that there is. */
  async strike(): Promise<void> {
    const { maps } = this.#daemon.client;
    const held = await maps.listMaps({ filter: { held: true } });
    for (const { name } of held.maps.flatMap(({ holds }) => holds)) {
      await maps.releaseMap({ name }).catch(() => {}); // its lease ran out
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
