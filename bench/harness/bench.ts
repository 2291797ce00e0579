import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Daemon } from "./daemon.js";
import { elementChunks, type MapKind } from "./elements.js";
import { loadRequests } from "./load-requests.js";

/** A map that cases measure on. */
export interface BenchMap {
  id: number;
  /** Its pin in the daemon's bpffs. */
  pinPath: string;
  shape: MapKind;
  /** How many elements it has when it is full. */
  elements: number;
}

/** Size of the chunks in which cases load, in bytes. */
export const loadChunkBytes = 256 * 1024;

/** What all cases share: a temporary directory, a daemon, and full maps that are made once. */
export class Bench {
  private readonly daemons: Daemon[] = [];
  private daemonsStarted = 0;
  private readonly fullMaps = new Map<string, BenchMap>();
  private maps = 0;
  private closing?: Promise<void>;

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
  async startDaemon(args: string[] = []): Promise<Daemon> {
    const directory = join(this.directory, `daemon-${this.daemonsStarted++}`);
    const daemon = await Daemon.start(directory, args);
    this.daemons.push(daemon);
    return daemon;
  }

  async stopDaemon(daemon: Daemon): Promise<void> {
    this.daemons.splice(this.daemons.indexOf(daemon), 1);
    await daemon.stop();
  }

  /** A new map without elements, with room for so many. */
  async emptyMap(shape: MapKind, count: number): Promise<BenchMap> {
    const name = `bench_${this.maps++}`;
    const pinPath = join(this.daemon.bpffs, name);
    const { type, keySize, valueSize, flags = 0, room = 1 } = shape;
    const spec = { type, name, keySize, valueSize, maxEntries: count * room, flags };
    const { map } = await this.daemon.client.maps.createMap({ spec, pinPath });
    if (map === undefined) throw new Error("CreateMap answered without a map");
    return { id: map.id, pinPath, shape, elements: count };
  }

  /** A map full of elements: the same one each time it is asked for. Not to be changed. */
  async fullMap(shape: MapKind, count: number): Promise<BenchMap> {
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

  /** Ends all of it, once: a signal may come while the bench is ending by itself, and ends it too. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    for (const daemon of this.daemons.splice(0).reverse()) await daemon.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Writes all its elements. */
  async fill({ shape, elements, id }: BenchMap): Promise<void> {
    const chunks = elementChunks(shape, elements, loadChunkBytes);
    const requests = loadRequests(id, chunks, shape.perCpu);
    const { written } = await this.daemon.client.maps.loadMap(requests);
    if (Number(written) !== elements) throw new Error(`${written} of ${elements} were written`);
  }
}
