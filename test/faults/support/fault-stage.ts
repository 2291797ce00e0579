import type { BpfmapClient, MapHandle } from "@bpfmapd/client";
import { MapType } from "@bpfmapd/client/proto";
import { dumpByBpftool, shownMap } from "../../service/support/bpftool.js";
import { openMaps, pinTree } from "../../service/support/daemon-state.js";
import { uniqueName } from "../../service/support/plain-map.js";
import type { TestDaemon } from "../../support/daemon.js";

/** Elements that a map has before anything goes wrong. */
export const ELEMENTS = 4;

export const u32 = (number: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
};

/** The value that element `index` has in one generation. */
export const valueAt = (index: number, generation: number): Buffer =>
  Buffer.concat([u32(index), u32(generation)]);

/** Elements from `from` on, of one generation. */
export const elements = (from: number, count: number, generation: number): [Buffer, Buffer][] =>
  Array.from({ length: count }, (_, at) => [u32(from + at), valueAt(from + at, generation)]);

/** All that a call can have changed. */
export interface Picture {
  /** By key in hex, as bpftool reads them. */
  readonly elements: Readonly<Record<string, string>>;
  readonly frozen: boolean;
  readonly pins: readonly string[];
  /** Names of holds. */
  readonly holds: readonly string[];
  /** Maps that the daemon has open, once for each descriptor. */
  readonly open: readonly number[];
}

/** A pinned map with ELEMENTS elements of generation 0, and the daemon that has it. */
export class FaultStage {
  readonly daemon: TestDaemon;
  readonly name: string;
  readonly id: number;
  readonly handle: MapHandle;

  private constructor(daemon: TestDaemon, name: string, id: number) {
    this.daemon = daemon;
    this.name = name;
    this.id = id;
    this.handle = daemon.client.map({ id });
  }

  get client(): BpfmapClient {
    return this.daemon.client;
  }

  get pin(): string {
    return `${this.daemon.bpffs}/${this.name}`;
  }

  /** A stage on a daemon that other stages use, too, one after the other. */
  static async set(daemon: TestDaemon): Promise<FaultStage> {
    const name = uniqueName();
    const { map } = await daemon.client.maps.createMap({
      spec: { type: MapType.HASH, name, keySize: 4, valueSize: 8, maxEntries: 64 },
      pinPath: `${daemon.bpffs}/${name}`,
    });
    const stage = new FaultStage(daemon, name, map!.id);
    await stage.handle.updateMany(elements(0, ELEMENTS, 0));
    return stage;
  }

  async picture(): Promise<Picture> {
    const { maps } = await this.client.maps.listMaps({ filter: { held: true }, pageSize: 10_000 });
    return {
      elements: Object.fromEntries(dumpByBpftool(this.id)),
      frozen: shownMap(this.id).frozen === 1,
      pins: pinTree(this.daemon.bpffs),
      holds: maps.flatMap(({ holds }) => holds.map(({ name }) => name)).sort(),
      open: openMaps(this.daemon.pid),
    };
  }

  /** Removes what operations leave where they succeed. */
  async clear(): Promise<void> {
    const { maps } = this.client;
    for (const name of [this.name, `${this.name}-2`]) {
      await maps.releaseMap({ name }).catch(() => {});
    }
    for (const path of [this.pin, `${this.pin}-2`]) await maps.unpinMap({ path }).catch(() => {});
  }
}
