import { setTimeout as sleep } from "node:timers/promises";
import { type BpfmapClient, connect } from "@bpfmapd/client";
import { LoadStrategy, WatchFidelity } from "@bpfmapd/client/proto";
import { WALKABLE, type Walkable } from "../../maps/support/kernel-map.js";
import type { TestDaemon } from "../../support/daemon.js";
import type { GroundTruth } from "./ground-truth.js";
import { Random } from "./random.js";
import { type Pace, randomWatch } from "./random-watch.js";
import { type SocketProxy, startProxy } from "./socket-proxy.js";
import { StageMap } from "./stage-map.js";
import { Subscriber } from "./subscriber.js";

/** LRU maps of 2 CPUs evict from about half of it on. */
const LRU_ENTRIES = 64;
const KEYS = 60;

/** How often the stage looks at the clock, and how late it must come to have stood still itself. */
const HEARTBEAT_MS = 500;
const STALL_MS = 2000;

const PACE: Pace = { pollMs: [15, 30, 60], bookmarkMs: 100 };
const LRU_KEYS = 200;

/** How often each step is taken. */
const STEPS = {
  sleep: 30,
  kernelPut: 30,
  kernelDelete: 20,
  kernelPutBatch: 4,
  kernelDeleteBatch: 3,
  kernelTakeBatch: 2,
  programPut: 20,
  programDelete: 12,
  programIncrement: 14,
  burst: 4,
  servicePut: 20,
  serviceDelete: 14,
  serviceTake: 4,
  bpftoolPut: 3,
  bpftoolDelete: 2,
  bpftoolBatch: 1,
  load: 2,
  clear: 1,
  recreate: 0.6,
  pause: 2,
  resume: 3,
  cut: 1,
  leave: 1,
  reopen: 10,
  kill: 0.25,
  settle: 0.5,
  flood: 0.4,
} as const;

/** What a stage has. */
export interface StageOptions {
  /** Maps, each of another type. */
  readonly maps: number;
  readonly watchesPerMap: number;
  /**
   * What at least one watch of each map is asked for, and most of the others, beside watches
   * of the newest values; at random, map by map, unless given.
   */
  readonly fidelity?: WatchFidelity;
  /** Where not as often as usual. */
  readonly pace?: Pace;
  /** Rounds of a flood, of 150 writes each: more than the daemon's history has room for. */
  readonly floodRounds?: number;
  /** How often steps are taken, where not as often as usual. */
  readonly weights?: Partial<Record<keyof typeof STEPS, number>>;
}

interface Watched {
  readonly subscriber: Subscriber;
  readonly client: BpfmapClient;
  readonly proxy: SocketProxy;
}

interface Scene {
  readonly map: StageMap;
  readonly keys: readonly Buffer[];
  readonly watched: Watched[];
}

/** A daemon, maps of several types, subscribers of each, and a driver that does things to them at random. */
export class WatchStage {
  readonly truths = new Map<number, GroundTruth>();
  readonly #daemon: TestDaemon;
  readonly #random: Random;
  readonly #scenes: Scene[] = [];
  readonly #options: StageOptions;
  #values = 1000n;
  #lastBeat = Date.now();
  readonly #heart = setInterval(() => this.#beat(), HEARTBEAT_MS);

  private constructor(daemon: TestDaemon, seed: number, options: StageOptions) {
    this.#daemon = daemon;
    this.#random = new Random(seed);
    this.#options = options;
  }

  static async open(daemon: TestDaemon, seed: number, options: StageOptions): Promise<WatchStage> {
    const stage = new WatchStage(daemon, seed, options);
    const types: Walkable[] = [...WALKABLE];
    while (types.length > options.maps) types.splice(stage.#random.below(types.length), 1);
    for (const type of types) await stage.#addScene(type, options.watchesPerMap);
    return stage;
  }

  /** A host that gives a guest no time stops daemon and readers alike: nobody reads then. */
  #beat(): void {
    const now = Date.now();
    const since = this.#lastBeat;
    this.#lastBeat = now;
    if (now - since < HEARTBEAT_MS + STALL_MS) return;
    for (const { call } of this.subscribers) call?.pauses.push({ from: since, to: now });
  }

  /** All subscribers. */
  get subscribers(): Subscriber[] {
    return this.#scenes.flatMap(({ watched }) => watched.map(({ subscriber }) => subscriber));
  }

  /** Takes a number of steps, the last of which lets everything settle. */
  async run(steps: number): Promise<void> {
    const weights = { ...STEPS, ...this.#options.weights };
    for (let step = 0; step < steps; step++) {
      const scene = this.#random.pick(this.#scenes);
      await this.#step(scene, this.#random.weighted(weights));
    }
    await this.settle();
  }

  /** Lets everybody read all that there is. */
  async settle(): Promise<void> {
    for (const scene of this.#scenes) await this.#settle(scene);
  }

  /** Resumes from bookmarks of before, each to the end. */
  async resumeFromBefore(perSubscriber: number): Promise<void> {
    for (const scene of this.#scenes) {
      for (const { subscriber } of scene.watched) {
        const tokens = subscriber.recording.calls
          .flatMap(({ messages }) => messages)
          .flatMap(({ message: { kind } }) =>
            kind.case === "bookmark" ? [kind.value.resumeToken] : [],
          );
        for (let count = 0; count < perSubscriber; count++) {
          await subscriber.close();
          // Late ones more often: the history does not reach back for ever.
          const late = 1 - this.#random.next() ** 3;
          subscriber.open(tokens[Math.floor(late * (tokens.length - 1))]);
          await subscriber.settle(Date.now());
        }
      }
    }
  }

  /** Ends all calls and frees the maps. */
  async close(): Promise<void> {
    clearInterval(this.#heart);
    for (const { map, watched } of this.#scenes) {
      for (const { subscriber, client, proxy } of watched) {
        await subscriber.close();
        client.close();
        await proxy.close();
      }
      map.free();
    }
  }

  async #addScene(type: Walkable, watches: number): Promise<void> {
    const { client, bpffs, socket } = this.#daemon;
    const pinPath = `${bpffs}/model_${type.toLowerCase()}`;
    const isLru = type.startsWith("LRU");
    const keys = Array.from({ length: isLru ? LRU_KEYS : KEYS }, (_, number) =>
      keyOf(type, number),
    );
    const entries = isLru ? LRU_ENTRIES : type.endsWith("ARRAY") ? KEYS : KEYS * 2;
    const fidelity =
      this.#options.fidelity ??
      this.#random.pick([WatchFidelity.LATEST, WatchFidelity.BEST_AVAILABLE]);
    const isTraced = fidelity !== WatchFidelity.LATEST;
    const scene = {
      map: new StageMap(type, entries, pinPath, client, this.truths, isTraced),
      keys: uniqueOf(keys),
      watched: [] as Watched[],
    };
    this.#scenes.push(scene);
    for (let index = 0; index < watches; index++) {
      const name = `${type} ${index}`;
      const kind = index === 0 ? "whole" : "any";
      const { request, shape } = randomWatch(
        this.#random,
        pinPath,
        type,
        scene.keys,
        kind,
        this.#options.pace ?? PACE,
      );
      request.fidelity = index > 0 && this.#random.chance(0.3) ? WatchFidelity.LATEST : fidelity;
      const path = `${this.#daemon.directory}/${type}-${index}.sock`;
      const proxy = await startProxy(path, socket);
      const own = connect({ address: `unix:${path}` });
      const subscriber = new Subscriber(name, own, request, shape);
      scene.watched.push({ subscriber, client: own, proxy });
    }
    // One that joins another must know what that one does.
    const inOrder = this.#random.chance(0.5) ? scene.watched : scene.watched.toReversed();
    for (const { subscriber } of inOrder) subscriber.open();
  }

  async #step({ map, keys, watched }: Scene, step: keyof typeof STEPS): Promise<void> {
    const random = this.#random;
    const { subscriber, proxy } = random.pick(watched);
    const key = random.pick(keys);
    const someKeys = keys.filter(() => random.chance(0.2));
    switch (step) {
      case "sleep":
        return sleep(random.below(25));
      case "kernelPut":
        return map.putByKernel([this.#pair(map, key)]);
      case "kernelDelete":
        return map.canDelete ? map.deleteByKernel([key]) : undefined;
      case "kernelPutBatch":
        return map.putBatchByKernel(someKeys.map((one) => this.#pair(map, one)));
      case "kernelDeleteBatch":
        return map.canDelete ? map.deleteBatchByKernel(someKeys) : undefined;
      case "kernelTakeBatch":
        return map.canTake ? map.takeBatchByKernel() : undefined;
      case "programPut":
        return map.putByProgram(this.#oneOrSome(keys).map((one) => this.#pair(map, one)));
      case "programDelete":
        return map.canDelete ? map.deleteByProgram(this.#oneOrSome(keys)) : undefined;
      case "programIncrement":
        return map.incrementByProgram(this.#oneOrSome(keys));
      case "burst":
        return this.#burst(map, keys);
      case "servicePut":
        return map.putByService(this.#few(keys).map((one) => this.#pair(map, one)));
      case "serviceDelete":
        return map.canDelete ? map.deleteByService(this.#few(keys)) : undefined;
      case "serviceTake":
        return map.canTake ? map.takeByService(key) : undefined;
      case "bpftoolPut":
        return map.putByBpftool(...this.#pair(map, key));
      case "bpftoolDelete":
        return map.canDelete ? map.deleteByBpftool(key) : undefined;
      case "bpftoolBatch":
        return map.putBatchByBpftool(someKeys.map((one) => this.#pair(map, one)));
      case "load": {
        const strategy = random.pick([LoadStrategy.MERGE, LoadStrategy.REPLACE]);
        if (!map.canDelete && strategy === LoadStrategy.REPLACE) return undefined;
        return map.load(
          someKeys.map((one) => this.#pair(map, one)),
          strategy,
        );
      }
      case "clear":
        return map.canDelete ? map.clear() : undefined;
      case "recreate":
        return map.recreate(random.pick([0, 0, 300]));
      case "pause":
        return subscriber.pause();
      case "resume":
        return subscriber.resume();
      case "cut":
        return proxy.cut();
      case "leave":
        return subscriber.close();
      case "reopen": {
        const closed = watched.find((one) => !one.subscriber.isOpen);
        return closed?.subscriber.reopen();
      }
      case "kill":
        return this.#kill(map, keys);
      case "flood":
        return this.#flood(map, keys, subscriber);
      case "settle":
        return this.#settle(this.#scenes.find((scene) => scene.map === map)!);
    }
  }

  /** Many writes in one go, so that a scan runs into them. */
  #burst(map: StageMap, keys: readonly Buffer[]): void {
    for (let count = 0; count < 150; count++) {
      const key = this.#random.pick(keys);
      const isDelete = map.canDelete && this.#random.chance(0.4);
      if (this.#random.chance(0.5)) {
        if (isDelete) map.deleteByKernel([key]);
        else map.putByKernel([this.#pair(map, key)]);
      } else {
        if (isDelete) map.deleteByProgram([key]);
        else map.putByProgram([this.#pair(map, key)]);
      }
    }
  }

  /** More changes than the history has room for, while somebody does not read. */
  async #flood(map: StageMap, keys: readonly Buffer[], subscriber: Subscriber): Promise<void> {
    subscriber.pause();
    for (let round = 0; round < (this.#options.floodRounds ?? 70); round++) {
      this.#burst(map, keys);
      await sleep(15);
    }
  }

  async #kill(map: StageMap, keys: readonly Buffer[]): Promise<void> {
    const pairs = keys.map((key) => this.#pair(map, key));
    const writing = this.#random.chance(0.5) ? map.putByService(pairs) : undefined;
    await this.#daemon.kill();
    await writing;
    await this.#daemon.restart();
  }

  /** Lets everybody read all, and notes what the map holds meanwhile. */
  async #settle({ map, watched }: Scene): Promise<void> {
    map.calm();
    const since = Date.now();
    for (const { subscriber } of watched) subscriber.resume();
    await Promise.all(watched.map(({ subscriber }) => subscriber.settle(since)));
    map.stir();
  }

  #oneOrSome(keys: readonly Buffer[]): readonly Buffer[] {
    return this.#random.chance(0.7)
      ? [this.#random.pick(keys)]
      : keys.filter(() => this.#random.chance(0.2));
  }

  #few(keys: readonly Buffer[]): Buffer[] {
    const count = this.#random.chance(0.7) ? 1 : 1 + this.#random.below(12);
    return Array.from({ length: count }, () => this.#random.pick(keys));
  }

  /** A value that was never there before, or one that likely was. */
  #pair({ layout }: StageMap, key: Buffer): [Buffer, Buffer] {
    const value = Buffer.alloc(layout.valueStride);
    for (let at = 0; at < value.length; at += 8) {
      const isNew = this.#random.chance(0.7);
      value.writeBigUInt64LE(isNew ? this.#values++ : BigInt(this.#random.below(3)), at);
    }
    return [key, value];
  }
}

/** Keys of tries are prefixes of several lengths, some of which cover others. */
function keyOf(type: Walkable, number: number): Buffer {
  const key = Buffer.alloc(type === "LPM_TRIE" ? 8 : 4);
  if (type === "LPM_TRIE") {
    const length = [8, 13, 16, 24, 32][number % 5]!;
    key.writeUInt32LE(length);
    const address = [10, (number % 3) << 3, number % 4, number];
    for (const [index, byte] of address.entries()) if (index * 8 < length) key[4 + index] = byte;
  } else if (type.endsWith("ARRAY")) {
    key.writeUInt32LE(number);
  } else {
    // Eight keys at a time share their first byte.
    key.writeUInt32LE((number >> 3) | ((number & 7) << 8));
  }
  return key;
}

function uniqueOf(keys: readonly Buffer[]): Buffer[] {
  return [...new Map(keys.map((key) => [key.toString("hex"), key])).values()];
}
