import {
  type Difference,
  FullError,
  type Keys,
  type TargetMap,
} from "#dist/fleet/reconcile/index.js";
import type { Elements, Manifest } from "#dist/fleet/sets/index.js";
import { contentsOf, SPEC } from "../../sets-contract/fixture.ts";
import type { Process } from "../world/machine.ts";
import type { World } from "../world/world.ts";
import type { Generation, SetTruth } from "./truth.ts";

/** Elements that are written between two moments at which a writer may die. */
const SLICE = 8;
const SLICE_MS = 1;

/** Keys from here on are those of others. */
export const FOREIGN = 10_000;

/** Values from here on were put by others. */
export const OTHERS_VALUE = 1e7;

const NONE: ReadonlySet<number> = new Set();

/** A map of a host's kernel, which looks at whoever writes to it for the set. */
export class KernelMap {
  readonly elements = new Map<number, number>();
  readonly host: string;
  readonly set: string;
  readonly identity: string;
  readonly capacity: number;
  /** Keys that others have changed since the map was last right. */
  readonly drifted = new Set<number>();
  /** When others did so last. */
  driftedAt = 0;
  readonly #world: World;
  readonly #truth: SetTruth;
  /** Index of the generation that it last had, whole. */
  #floor = -1;

  constructor(world: World, truth: SetTruth, host: string, set: string, capacity: number) {
    this.#world = world;
    this.#truth = truth;
    this.host = host;
    this.set = set;
    this.capacity = capacity;
    this.identity = `${host}/${set}/${Math.floor(world.now)}/${world.random.below(1e9)}`;
    this.driftedAt = world.now;
  }

  /** Others write. */
  drift(key: number, value: number | undefined): void {
    if (value === undefined) this.elements.delete(key);
    else if (this.elements.has(key) || this.elements.size < this.capacity) {
      this.elements.set(key, value);
    }
    this.driftedAt = this.#world.now;
    this.drifted.add(key);
  }

  put(key: number, value: number, { id, generation }: Manifest): void {
    if (!this.elements.has(key) && this.elements.size >= this.capacity) {
      throw new FullError("no room");
    }
    const isOf = this.#since().some(({ contents }) => contents.get(key) === value);
    if (!isOf)
      this.#violate(`${key}=${value} is put for generation ${generation} of ${id} and not in one`);
    this.elements.set(key, value);
    this.drifted.delete(key);
  }

  remove(key: number, { generation, ownership }: Manifest): void {
    if (!this.elements.delete(key)) return;
    const isForeign = key >= FOREIGN;
    const mayGo =
      (ownership === "exclusive" && isForeign) ||
      (!isForeign && ownership !== "additive" && this.#mayLack(key));
    if (!mayGo) this.#violate(`${key} is removed for ${ownership} generation ${generation}`);
    this.drifted.delete(key);
  }

  /** Whether it has what a generation says, but for what others have done since. */
  isLike(wanted: Generation, drifted: ReadonlySet<number> = this.drifted): boolean {
    const { contents, manifest } = wanted;
    for (const [key, value] of contents) {
      if (this.elements.get(key) !== value && !drifted.has(key)) return false;
    }
    for (const [key, value] of this.elements) {
      if (contents.has(key) || drifted.has(key) || this.#mayHave(key, value, wanted)) continue;
      return false;
    }
    return manifest.count === contents.size;
  }

  /** Whether it has exactly what it should. */
  isRight(wanted: Generation): boolean {
    return this.isLike(wanted, NONE);
  }

  /** The host says that it has a generation. */
  told(id: string, generation: number): void {
    const index = this.#truth.indexOf(id, generation);
    const told = this.#truth.generations[index];
    if (!told) this.#violate(`it is told to have generation ${generation}, which nobody made`);
    else if (!this.isLike(told)) {
      this.#violate(`it is told to have generation ${generation}, and has not`);
    }
    if (index < this.#floor) this.#violate(`it goes back to generation ${generation}`);
    this.#floor = index;
  }

  #since() {
    return this.#truth.generations.slice(Math.max(0, this.#floor));
  }

  /** A generation since, or what others have put there. */
  #mayLack(key: number): boolean {
    return this.drifted.has(key) || this.#since().some(({ contents }) => !contents.has(key));
  }

  /** Elements that a set does not have and leaves. */
  #mayHave(key: number, value: number, { id, manifest: { ownership } }: Generation): boolean {
    if (ownership !== "merge") return ownership === "additive";
    if (value >= OTHERS_VALUE) return true;
    // Those of a set that was deleted stay, too.
    return this.#truth.generations.some((one) => one.id !== id && one.contents.has(key));
  }

  #violate(what: string): void {
    this.#world.history.violate([this.host, this.set], `map ${this.set} of ${this.host}: ${what}`);
  }
}

/** A map as a host's process writes to it for a generation: slowly. */
export class KernelMapTarget implements TargetMap {
  readonly #map: () => KernelMap;
  readonly #process: Process;
  readonly #manifest: Manifest;

  constructor(map: () => KernelMap, process: Process, manifest: Manifest) {
    this.#map = map;
    this.#process = process;
    this.#manifest = manifest;
  }

  async describe() {
    await this.#process.work(SLICE_MS);
    const { keySize, valueSize } = SPEC;
    const { identity, capacity } = this.#map();
    const label = `map ${identity}`;
    return { keySize, valueSize, identity, label, capacity, evicts: false, isAtomic: false };
  }

  async count(): Promise<number> {
    await this.#process.work(SLICE_MS);
    return this.#map().elements.size;
  }

  async compare(desired: AsyncIterable<Elements>, scope: "all" | "own"): Promise<Difference> {
    const wanted = await this.#collect(desired);
    await this.#process.work(SLICE_MS);
    const { elements, capacity } = this.#map();
    let [missing, changed, extra] = [0, 0, 0];
    for (const [key, value] of wanted) {
      const there = elements.get(key);
      if (there === undefined) missing++;
      else if (there !== value) changed++;
    }
    for (const key of elements.keys()) if (!wanted.has(key)) extra++;
    const size = scope === "all" ? wanted.size : elements.size + missing;
    if (size > capacity) throw new FullError("no room");
    return { missing, changed, extra: scope === "all" ? extra : 0 };
  }

  async replace(desired: AsyncIterable<Elements>): Promise<void> {
    const wanted = await this.#collect(desired);
    const map = this.#map();
    if (wanted.size > map.capacity) throw new FullError("no room");
    const late: [number, number][] = [];
    await this.#each(wanted, ([key, value]) => {
      if (map.elements.get(key) === value) return;
      if (map.elements.has(key) || map.elements.size < map.capacity) this.#put(map, key, value);
      else late.push([key, value]);
    });
    const extra = [...map.elements.keys()].filter((key) => !wanted.has(key));
    await this.#each(extra, (key) => map.remove(key, this.#manifest));
    await this.#each(late, ([key, value]) => this.#put(map, key, value));
  }

  async put(elements: AsyncIterable<Elements>): Promise<void> {
    const map = this.#map();
    await this.#each(await this.#collect(elements), ([key, value]) => this.#put(map, key, value));
  }

  async remove(keys: AsyncIterable<Keys>): Promise<void> {
    const map = this.#map();
    for await (const { count, keys: column } of keys) {
      const elements = { count, keys: column, values: new Uint8Array(count * SPEC.valueSize) };
      await this.#each(contentsOf([elements]).keys(), (key) => map.remove(key, this.#manifest));
    }
  }

  #put(map: KernelMap, key: number, value: number): void {
    if (map.elements.get(key) !== value) map.put(key, value, this.#manifest);
  }

  /** Others get a turn between slices; a map that was made anew meanwhile is not written to. */
  async #each<T>(all: Iterable<T>, write: (one: T) => void): Promise<void> {
    let left = 0;
    for (const one of all) {
      if (left-- === 0) {
        await this.#process.work(SLICE_MS);
        left = SLICE - 1;
      }
      write(one);
    }
  }

  async #collect(elements: AsyncIterable<Elements>): Promise<Map<number, number>> {
    const chunks: Elements[] = [];
    for await (const chunk of elements) chunks.push(chunk);
    return contentsOf(chunks);
  }
}
