import { execFile } from "node:child_process";
import { unlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { BpfmapClient, MapHandle } from "@bpfmapd/client";
import { LoadStrategy, OnError } from "@bpfmapd/client/proto";
import {
  BatchCalls,
  closeFd,
  ElementCalls,
  KernelError,
  mapCreate,
  mapGetFdById,
  mapInfo,
  objPin,
  possibleCpus,
} from "#dist/kernel/index.js";
import { layoutOf, type MapLayout } from "#dist/maps/map-layout.js";
import { bpftoolDump } from "../../maps/support/bpftool.js";
import { creationOf, type Walkable } from "../../maps/support/kernel-map.js";
import { GroundTruth, type Write } from "./ground-truth.js";
import { MapPrograms, MOST_PER_RUN } from "./map-programs.js";
import { covers } from "./trie-keys.js";

const execute = promisify(execFile);

type Pair = readonly [key: Buffer, value: Buffer];

/** Elements that a batch call of the test takes at most. */
const BATCH = 64;

const BY_SYSCALL: Write = { by: "other", call: "syscall" };
const BY_SERVICE: Write = { by: "service", call: "syscall" };
/** What the service may have done to an element, by which calls is not known. */
const BY_WHOLE_MAP_CALL: Write = { by: "other" };

/** A pinned map that a test writes to in every way, and that keeps the truth about it. */
export class StageMap {
  readonly type: Walkable;
  readonly pinPath: string;
  readonly layout: MapLayout;
  /** By id: this map, and those that were pinned here before it. */
  readonly truths: Map<number, GroundTruth>;
  readonly #maxEntries: number;
  readonly #isTraced: boolean;
  readonly #handle: MapHandle;
  #fd = -1;
  #id = 0;
  #truth!: GroundTruth;
  #calls!: ElementCalls;
  #batch!: BatchCalls;
  #programs!: MapPrograms;

  constructor(
    type: Walkable,
    maxEntries: number,
    pinPath: string,
    client: BpfmapClient,
    truths: Map<number, GroundTruth>,
    isTraced: boolean,
  ) {
    this.type = type;
    this.pinPath = pinPath;
    this.truths = truths;
    this.#isTraced = isTraced;
    this.#maxEntries = maxEntries;
    this.#handle = client.map({ pinPath });
    this.#create();
    this.layout = layoutOf(mapInfo(this.#fd), possibleCpus());
    this.#reachElements();
    this.#truth = this.#newTruth();
  }

  get id(): number {
    return this.#id;
  }

  /** Whether elements can be looked up and deleted in one call. */
  get canTake(): boolean {
    return this.type.endsWith("HASH");
  }

  get isPerCpu(): boolean {
    return this.type.includes("PERCPU");
  }

  get #evicts(): boolean {
    return this.type.startsWith("LRU");
  }

  get canDelete(): boolean {
    return !this.type.endsWith("ARRAY");
  }

  /** Notes that somebody may write from now on. */
  stir(): void {
    this.#truth.endCalm();
  }

  /** Writes by bpf(2), without a pause between. */
  putByKernel(pairs: readonly Pair[]): void {
    for (const [key, value] of pairs) {
      const from = Date.now();
      this.#calls.key.set(key);
      this.#calls.value.set(value);
      const errno = this.#calls.update();
      if (errno === undefined) this.#note(key, value, from, BY_SYSCALL);
      else if (!this.#evicts) throw new Error(`cannot update: ${errno}`);
    }
  }

  deleteByKernel(keys: readonly Buffer[]): void {
    for (const key of keys) {
      const from = Date.now();
      this.#calls.key.set(key);
      if (this.#calls.delete() === undefined) this.#note(key, undefined, from, BY_SYSCALL);
    }
  }

  /** Writes by one batch call of bpf(2). */
  putBatchByKernel(pairs: readonly Pair[]): void {
    const from = Date.now();
    const { keySize, valueStride } = this.layout;
    const some = pairs.slice(0, BATCH);
    for (const [index, [key, value]] of some.entries()) {
      this.#batch.keys.set(key, index * keySize);
      this.#batch.values.set(value, index * valueStride);
    }
    const errno = this.#batch.update(some.length);
    if (errno !== undefined && !this.#evicts) throw new Error(`cannot update a batch: ${errno}`);
    for (const [key, value] of some.slice(0, this.#batch.count)) {
      this.#note(key, value, from, BY_SYSCALL);
    }
  }

  /** Deletes by one batch call of bpf(2), which ends at the first key that is not there. */
  deleteBatchByKernel(keys: readonly Buffer[]): void {
    const from = Date.now();
    const some = keys.slice(0, BATCH);
    for (const [index, key] of some.entries()) {
      this.#batch.keys.set(key, index * this.layout.keySize);
    }
    this.#batch.delete(some.length);
    for (const key of some.slice(0, this.#batch.count)) {
      this.#note(key, undefined, from, BY_SYSCALL);
    }
  }

  /** Looks up and deletes the few that a batch call of bpf(2) meets first. */
  takeBatchByKernel(): void {
    const from = Date.now();
    const { keySize, valueStride } = this.layout;
    const batch = new BatchCalls(this.#fd, keySize, valueStride, 8);
    const errno = batch.lookupAndDelete();
    // ENOSPC: the first bucket has more elements, and none was taken.
    const count = errno === "ENOSPC" ? 0 : batch.count;
    for (let index = 0; index < count; index++) {
      const key = Buffer.from(batch.keys.subarray(index * keySize, (index + 1) * keySize));
      this.#note(key, undefined, from, { by: "other" });
    }
    batch.release();
  }

  /** Writes by a program: on the CPU that it runs on, where values are per CPU. */
  putByProgram(pairs: readonly Pair[]): void {
    // A value whose other slots are not known must be looked up before it is evicted.
    const perRun = this.isPerCpu ? 1 : MOST_PER_RUN;
    for (let start = 0; start < pairs.length; start += perRun) {
      const run = pairs.slice(start, start + perRun);
      const from = Date.now();
      const done = this.#programs.update(run);
      if (done.includes(false) && !this.#evicts) throw new Error("a program cannot update");
      for (const [index, [key, value]] of run.entries()) {
        if (!done[index]) continue;
        if (this.isPerCpu) this.#note(key, this.#read(key), from, { by: "other" });
        else this.#note(key, value, from, { by: "other", call: "program" });
      }
    }
  }

  /** Deletes by a program. */
  deleteByProgram(keys: readonly Buffer[]): void {
    const from = Date.now();
    const some = keys.slice(0, MOST_PER_RUN);
    for (const [index, done] of this.#programs.delete(some).entries()) {
      if (done) this.#note(some[index]!, undefined, from, { by: "other", call: "program" });
    }
  }

  /** Adds 1 to values by a program, in place. */
  incrementByProgram(keys: readonly Buffer[]): void {
    const there = this.type === "LPM_TRIE" ? this.#keysInTrie() : undefined;
    // A trie would find a prefix that covers the key.
    const some = keys.filter((key) => !there || there.has(this.name(key))).slice(0, MOST_PER_RUN);
    const from = Date.now();
    for (const [index, done] of this.#programs.increment(some).entries()) {
      const key = some[index]!;
      if (done) this.#note(key, this.#read(key), from, { by: "other" });
    }
  }

  async putByBpftool(key: Buffer, value: Buffer): Promise<void> {
    const from = Date.now();
    const slot = value.subarray(0, this.layout.valueSize);
    await this.#bpftool("update", ...words("key", key), ...words("value", slot));
    // bpftool gives every CPU the same value.
    this.#note(key, this.#onEveryCpu(slot), from, BY_SYSCALL);
  }

  /** Writes by one run of bpftool. */
  async putBatchByBpftool(pairs: readonly Pair[]): Promise<void> {
    const from = Date.now();
    const slotOf = (value: Buffer) => value.subarray(0, this.layout.valueSize);
    const lines = pairs.map(([key, value]) =>
      ["map", "update", "id", this.id, ...words("key", key), ...words("value", slotOf(value))].join(
        " ",
      ),
    );
    const running = execute("bpftool", ["batch", "file", "-"]);
    running.child.stdin?.end(`${lines.join("\n")}\n`);
    await running;
    for (const [key, value] of pairs) {
      this.#note(key, this.#onEveryCpu(slotOf(value)), from, BY_SYSCALL);
    }
  }

  async deleteByBpftool(key: Buffer): Promise<void> {
    const from = Date.now();
    this.#calls.key.set(key);
    const isThere = this.type === "LPM_TRIE" || this.#calls.lookup() === undefined;
    if (!isThere) return;
    try {
      await this.#bpftool("delete", ...words("key", key));
    } catch {
      return; // Not there: evicted meanwhile, or a trie without this very prefix.
    }
    this.#note(key, undefined, from, BY_SYSCALL);
  }

  /** Writes in one call of the service. */
  async putByService(pairs: readonly Pair[]): Promise<void> {
    const from = Date.now();
    try {
      const { failures } = await this.#handle.updateMany(pairs, { onError: OnError.CONTINUE });
      const refused = new Set(failures.map(({ index }) => index));
      for (const [index, [key, value]] of pairs.entries()) {
        if (!refused.has(index)) this.#note(key, value, from, BY_SERVICE);
      }
    } catch {
      for (const [key, value] of pairs) {
        this.#note(key, value, from, { ...BY_SERVICE, certain: false });
      }
    }
  }

  /** Deletes in one call of the service. */
  async deleteByService(keys: readonly Buffer[]): Promise<void> {
    const from = Date.now();
    try {
      const { failures } = await this.#handle.deleteMany(keys, { onError: OnError.CONTINUE });
      const refused = new Set(failures.map(({ index }) => index));
      for (const [index, key] of keys.entries()) {
        if (!refused.has(index)) this.#note(key, undefined, from, BY_SERVICE);
      }
    } catch {
      for (const key of keys) {
        this.#note(key, undefined, from, { ...BY_SERVICE, certain: false });
      }
    }
  }

  async takeByService(key: Buffer): Promise<void> {
    const from = Date.now();
    if (await this.#handle.take(key)) this.#note(key, undefined, from, { by: "service" });
  }

  async load(pairs: readonly Pair[], strategy: LoadStrategy): Promise<void> {
    const from = Date.now();
    const written = new Map(pairs.map(([key, value]) => [this.name(key), value]));
    await this.#handle.load(pairs, { strategy });
    // What a map evicts while it is replaced is written once more.
    const times = this.#evicts && strategy === LoadStrategy.REPLACE ? 2 : 1;
    for (const [key, value] of written) {
      for (let time = 0; time < times; time++) {
        this.#truth.note(key, value.toString("hex"), from, BY_WHOLE_MAP_CALL);
      }
    }
    if (strategy === LoadStrategy.REPLACE) this.#noteGone(from, written);
  }

  async clear(): Promise<void> {
    const from = Date.now();
    await this.#handle.clear();
    this.#noteGone(from, new Map());
  }

  /** Frees the map and pins another one in its place, after a while. */
  async recreate(pauseMs: number): Promise<void> {
    this.#truth.endCalm();
    this.#truth.goneFrom = Date.now();
    const { id } = this;
    this.free();
    while (isThere(id)) await sleep(5);
    await sleep(pauseMs);
    this.#create();
    this.#reachElements();
    this.#truth = this.#newTruth();
  }

  /** Notes what bpftool reads; nobody must write till {@link stir}. */
  calm(): void {
    const from = Date.now();
    const contents = new Map<string, string>();
    for (const [key, value] of bpftoolDump(this.id)) {
      contents.set(this.name(Buffer.from(key, "hex")), value.replaceAll(",", ""));
    }
    this.#truth.startCalm(from, contents);
  }

  /** Lets go of the map. */
  free(): void {
    unlinkSync(this.pinPath);
    this.#programs.free();
    this.#batch.release();
    this.#calls.release();
    closeFd(this.#fd);
  }

  /** Hex of a key as it is told: a trie's without the bits past its prefix. */
  name(key: Buffer): string {
    if (this.type !== "LPM_TRIE") return key.toString("hex");
    const bits = key.readUInt32LE(0);
    const name = Buffer.from(key);
    for (let bit = bits; bit < (key.length - 4) * 8; bit++) {
      name[4 + (bit >> 3)]! &= ~(0x80 >> (bit & 7));
    }
    return name.toString("hex");
  }

  #create(): void {
    this.#fd = mapCreate(creationOf(this.type, { maxEntries: this.#maxEntries }));
    this.#id = mapInfo(this.#fd).id;
    objPin(this.pinPath, this.#fd);
  }

  #reachElements(): void {
    const { keySize, valueStride } = this.layout;
    this.#calls = new ElementCalls(this.#fd, keySize, valueStride);
    this.#batch = new BatchCalls(this.#fd, keySize, valueStride, BATCH);
    this.#programs = new MapPrograms(this.#fd, keySize);
  }

  /** What an element holds; undefined where it is not there. */
  #read(key: Buffer): Buffer | undefined {
    this.#calls.key.set(key);
    return this.#calls.lookup() === undefined ? Buffer.from(this.#calls.value) : undefined;
  }

  #keysInTrie(): Set<string> {
    const names = new Set<string>();
    for (let errno = this.#calls.firstKey(); !errno; errno = this.#calls.nextKey()) {
      this.#calls.following.copy(this.#calls.key);
      names.add(this.name(this.#calls.key));
    }
    return names;
  }

  #onEveryCpu(slot: Buffer): Buffer {
    const slots = this.layout.valueStride / this.layout.slotSize;
    return Buffer.concat(Array.from({ length: slots }, () => slot));
  }

  #newTruth(): GroundTruth {
    const { valueStride, slotSize } = this.layout;
    const truth = new GroundTruth({
      initial: this.type.endsWith("ARRAY") ? "00".repeat(valueStride) : undefined,
      isTraced: this.#isTraced,
      evicts: this.#evicts,
      ...(this.isPerCpu && { slotDigits: slotSize * 2 }),
      ...(this.type === "LPM_TRIE" && { covers }),
    });
    this.truths.set(this.id, truth);
    return truth;
  }

  #note(key: Buffer, value: Buffer | undefined, from: number, write: Write): void {
    this.#truth.note(this.name(key), value?.toString("hex"), from, write);
  }

  #noteGone(from: number, kept: ReadonlyMap<string, unknown>): void {
    for (const key of [...this.#truth.keys()]) {
      if (!kept.has(key)) this.#truth.note(key, undefined, from, BY_WHOLE_MAP_CALL);
    }
  }

  async #bpftool(verb: string, ...data: string[]): Promise<void> {
    await execute("bpftool", ["map", verb, "id", `${this.id}`, ...data]);
  }
}

function isThere(id: number): boolean {
  try {
    closeFd(mapGetFdById(id));
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENOENT") return false;
    throw error;
  }
}

function words(name: string, bytes: Buffer): string[] {
  return [name, ...Array.from(bytes, String)];
}
