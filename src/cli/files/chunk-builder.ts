import type { ObjectValue } from "@bpfmapd/client/proto";
import { CliError } from "../cli-error.js";
import type { ElementTarget } from "./element-target.js";

/** Payload of a chunk: LoadMap takes 64 KiB to 1 MiB well. */
const CHUNK_BYTES = 256 * 1024;

/** A chunk as the contract's Elements. */
export interface Chunk {
  readonly count: number;
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  /** Instead of values, for maps of kernel objects. */
  readonly objectValues?: ObjectValue[];
}

/** One CPU's part of a value. */
export interface CpuValue {
  readonly cpu: number;
  readonly value: ArrayLike<number>;
}

/** Collects elements into chunks, and refuses those that do not fit the map. */
export class ChunkBuilder {
  readonly #target: ElementTarget;
  readonly #capacity: number;
  #keys: Uint8Array;
  #values: Uint8Array;
  #count = 0;
  #full: Chunk[] = [];

  constructor(target: ElementTarget) {
    this.#target = target;
    const size = target.keySize + target.valueStride;
    this.#capacity = Math.max(1, Math.floor(CHUNK_BYTES / Math.max(1, size)));
    this.#keys = new Uint8Array(this.#capacity * target.keySize);
    this.#values = new Uint8Array(this.#capacity * target.valueStride);
  }

  /** Adds an element; of a per-CPU map the one value is every CPU's, as in bpftool's update. */
  add(key: ArrayLike<number>, value: ArrayLike<number>): void {
    const { valueSize, valueStride, cpus } = this.#target;
    this.#addKey(key);
    checkSize("value", value.length, valueSize);
    const at = this.#count * valueStride;
    if (cpus === undefined) this.#values.set(value, at);
    else for (const slot of cpus.keys()) this.#values.set(value, at + this.#slot(slot));
    this.#added();
  }

  /** Adds an element whose key and value have the map's sizes, the value with all its slots. */
  addWhole(key: Uint8Array, value: Uint8Array): void {
    this.#keys.set(key, this.#count * this.#target.keySize);
    this.#values.set(value, this.#count * this.#target.valueStride);
    this.#added();
  }

  /** Adds an element of a per-CPU map with a value for every CPU, in any order. */
  addPerCpu(key: ArrayLike<number>, values: readonly CpuValue[]): void {
    const { valueSize, valueStride, cpus } = this.#target;
    if (cpus === undefined) throw new CliError("values per CPU are for per-CPU maps only");
    this.#addKey(key);
    const missing = new Set(cpus);
    for (const { cpu, value } of values) {
      const slot = cpus.indexOf(cpu);
      if (slot < 0) throw new CliError(`the host has no CPU ${cpu}`);
      if (!missing.delete(cpu)) throw new CliError(`CPU ${cpu} has two values`);
      checkSize(`value of CPU ${cpu}`, value.length, valueSize);
      this.#values.set(value, this.#count * valueStride + this.#slot(slot));
    }
    if (missing.size > 0)
      throw new CliError(`there is no value for CPU ${[...missing].join(", ")}`);
    this.#added();
  }

  /** Takes the chunks that are full. */
  takeFull(): Chunk[] {
    return this.#full.splice(0);
  }

  /** Takes everything that is left. */
  takeRest(): Chunk[] {
    if (this.#count > 0) this.#finishChunk();
    return this.takeFull();
  }

  #added(): void {
    this.#count++;
    if (this.#count === this.#capacity) this.#finishChunk();
  }

  #finishChunk(): void {
    const { keySize, valueStride } = this.#target;
    this.#full.push({
      count: this.#count,
      keys: this.#keys.subarray(0, this.#count * keySize),
      values: this.#values.subarray(0, this.#count * valueStride),
    });
    // Fresh memory: the chunk may wait in the connection while the next one is filled.
    this.#keys = new Uint8Array(this.#keys.length);
    this.#values = new Uint8Array(this.#values.length);
    this.#count = 0;
  }

  #addKey(key: ArrayLike<number>): void {
    checkSize("key", key.length, this.#target.keySize);
    this.#keys.set(key, this.#count * this.#target.keySize);
  }

  #slot(slot: number): number {
    return slot * Math.ceil(this.#target.valueSize / 8) * 8;
  }
}

function checkSize(what: string, given: number, wanted: number): void {
  if (given !== wanted) throw new CliError(`${what} expected ${wanted} bytes got ${given}`);
}
