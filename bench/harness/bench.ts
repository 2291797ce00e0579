import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MapType } from "@bpfmapd/client/proto";
import { Daemon } from "./daemon.js";
import { type ElementShape, elementChunks } from "./elements.js";
import { loadRequests } from "./load-requests.js";

/** A map that cases measure on. */
export interface BenchMap {
  id: number;
  /** Its pin in the daemon's bpffs. */
  pinPath: string;
  shape: ElementShape;
  maxEntries: number;
}

/** Size of the chunks in which cases load, in bytes. */
export const loadChunkBytes = 256 * 1024;

/** What all cases share: a temporary directory, a daemon, and full maps that are made once. */
export class Bench {
  private readonly daemons: Daemon[] = [];
  private daemonsStarted = 0;
  private readonly fullMaps = new Map<string, BenchMap>();
  private maps = 0;

  private constructor(readonly directory: string) {}

  static async open(): Promise<Bench> {
    const bench = new Bench(await mkdtemp(join(tmpdir(), "bpfmapd-bench-")));
    try {
      await bench.startDaemon();
    } catch (error) {
      await bench.close();
      throw error;
    }
    return bench;
  }

  /** The daemon that serves all cases but those that start their own. */
  get daemon(): Daemon {
    const [first] = this.daemons;
    if (first === undefined) throw new Error("the bench is closed");
    return first;
  }

  /** Starts one more daemon; stopDaemon(), or else close(), stops it. */
  async startDaemon(): Promise<Daemon> {
    const daemon = await Daemon.start(join(this.directory, `daemon-${this.daemonsStarted++}`));
    this.daemons.push(daemon);
    return daemon;
  }

  async stopDaemon(daemon: Daemon): Promise<void> {
    this.daemons.splice(this.daemons.indexOf(daemon), 1);
    await daemon.stop();
  }

  /** A new hash map without elements. */
  async emptyMap(shape: ElementShape, maxEntries: number): Promise<BenchMap> {
    const name = `bench_${this.maps++}`;
    const pinPath = join(this.daemon.bpffs, name);
    const { keySize, valueSize } = shape;
    const spec = { type: MapType.HASH, name, keySize, valueSize, maxEntries };
    const { map } = await this.daemon.client.maps.createMap({ spec, pinPath });
    if (map === undefined) throw new Error("CreateMap answered without a map");
    return { id: map.id, pinPath, shape, maxEntries };
  }

  /** A hash map full of elements: the same one each time it is asked for. Not to be changed. */
  async fullMap(shape: ElementShape, count: number): Promise<BenchMap> {
    const key = `${shape.name} ${count}`;
    const known = this.fullMaps.get(key);
    if (known !== undefined) return known;
    const map = await this.emptyMap(shape, count);
    await this.fill(map);
    this.fullMaps.set(key, map);
    return map;
  }

  /** Removes every element. */
  async clear(map: BenchMap): Promise<void> {
    await this.daemon.client.map({ id: map.id }).clear();
  }

  async close(): Promise<void> {
    for (const daemon of this.daemons.splice(0).reverse()) await daemon.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  private async fill(map: BenchMap): Promise<void> {
    const { shape, maxEntries, id } = map;
    const chunks = elementChunks(shape, maxEntries, loadChunkBytes);
    const { written } = await this.daemon.client.maps.loadMap(loadRequests(id, chunks));
    if (Number(written) !== maxEntries) throw new Error(`${written} of ${maxEntries} were written`);
  }
}
