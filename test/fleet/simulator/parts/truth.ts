import { Contents, decodeManifest, type Manifest } from "#dist/fleet/sets/index.js";
import { keysUnder, type Store } from "#dist/fleet/store/index.js";
import { contentsOf } from "../../sets-contract/fixture.ts";
import type { DurableChange } from "../store/simulated-disk.ts";
import type { World } from "../world/world.ts";

const MANIFESTS = "sets/manifest/";
const SEGMENTS = "sets/segment/";
const SESSIONS = "members/session/";

export type Numbers = ReadonlyMap<number, number>;

/** What a controller means to do, known before it is done. */
export type Intent =
  | { readonly do: "put"; readonly contents: Numbers }
  | { readonly do: "patch"; readonly puts: Numbers; readonly removals: readonly number[] };

/** A generation that is in the store. */
export interface Generation {
  readonly id: string;
  readonly generation: number;
  readonly write: string;
  readonly contents: Numbers;
  readonly manifest: Manifest;
}

/** All generations of the sets of one name, the oldest first. */
export class SetTruth {
  readonly generations: Generation[] = [];
  /** Undefined where there is no such set now. */
  present: Generation | undefined;
  changedAt = 0;
  /** Hashes of all that the present manifest names. */
  named: ReadonlySet<string> = new Set();

  indexOf(id: string, generation: number): number {
    return this.generations.findLastIndex((one) => one.id === id && one.generation === generation);
  }
}

/** What the store's disk has, and what must follow from it. */
export class Truth {
  readonly sets = new Map<string, SetTruth>();
  readonly data = new Map<string, Uint8Array>();
  /** Where hosts have their sessions, and since when, as the disk has it. */
  readonly claims = new Map<
    string,
    { readonly relay: string; readonly session: string; at: number }
  >();
  readonly #world: World;
  readonly #intents = new Map<string, Intent>();

  constructor(world: World) {
    this.#world = world;
  }

  set(name: string): SetTruth {
    let set = this.sets.get(name);
    if (!set) {
      set = new SetTruth();
      this.sets.set(name, set);
    }
    return set;
  }

  /** The writes of this name, which begin with it and "#", mean this. */
  intend(name: string, intent: Intent): void {
    this.#intents.set(name, intent);
  }

  /** Takes what has come to the disk. */
  take(changes: readonly DurableChange[]): void {
    for (const { key, value } of changes) {
      if (value) this.data.set(key, value);
      else this.data.delete(key);
    }
    for (const { key, value } of changes) {
      if (key.startsWith(MANIFESTS)) this.#manifest(key.slice(MANIFESTS.length), value);
      else if (key.startsWith(SESSIONS)) this.#claim(key.slice(SESSIONS.length), value);
      else if (!value && key.startsWith(SEGMENTS)) this.#collected(key);
    }
  }

  /** A store that was opened has all that came to the disk. */
  async compare(store: Store): Promise<void> {
    const { entries } = await store.range({ range: keysUnder(MANIFESTS) });
    const expected = [...this.data].filter(([key]) => key.startsWith(MANIFESTS));
    const isRight =
      entries.length === expected.length &&
      entries.every(({ key, value }) => Buffer.compare(value, this.data.get(key) ?? value) === 0);
    if (!isRight) this.#world.history.violate([], "the store has lost what was on its disk");
  }

  #claim(host: string, value: Uint8Array | undefined): void {
    if (!value) this.claims.delete(host);
    else this.claims.set(host, { ...JSON.parse(String(Buffer.from(value))), at: this.#world.now });
  }

  #collected(key: string): void {
    const [name = "", hash = ""] = key.slice(SEGMENTS.length).split("/");
    const set = this.sets.get(name);
    if (!set?.present || !set.named.has(hash)) return;
    this.#world.history.violate([name], `segment ${hash} was removed, which the manifest names`);
  }

  #manifest(name: string, value: Uint8Array | undefined): void {
    const { history, now } = this.#world;
    const set = this.set(name);
    set.changedAt = now;
    if (!value) {
      history.note([name], "is deleted");
      set.present = undefined;
      return;
    }
    const manifest = decodeManifest(value);
    const { id, generation, write } = manifest;
    const before = set.present;
    if (before?.id === id && before.generation === generation) {
      if (before.write !== write)
        history.violate([name], `generation ${generation} was made twice`);
      else this.#keptUp(set, before, manifest);
      return;
    }
    const expected = before ? before.generation + 1 : 1;
    if (generation !== expected || (before && before.id !== id)) {
      history.violate([name], `generation ${generation} follows ${before?.generation}`);
      return;
    }
    const contents = this.#contents(write, before?.contents ?? new Map());
    set.present = { id, generation, write, contents, manifest };
    set.generations.push(set.present);
    history.note([name], `generation ${generation} by ${write}, ${contents.size} elements`);
    this.#look(name, set, set.present);
  }

  #keptUp(set: SetTruth, present: Generation, manifest: Manifest): void {
    const { name, generation } = manifest;
    this.#world.history.note([name], `generation ${generation} is written in another form`);
    set.present = { ...present, manifest };
    set.generations[set.generations.length - 1] = set.present;
    this.#look(name, set, set.present);
  }

  #contents(write: string, before: Numbers): Numbers {
    const intent = this.#intents.get(write.split("#")[0]!);
    if (!intent) {
      this.#world.history.violate([], `nobody meant to write ${write}`);
      return before;
    }
    if (intent.do === "put") return intent.contents;
    const contents = new Map([...before, ...intent.puts]);
    for (const key of intent.removals) contents.delete(key);
    return contents;
  }

  /** The segments of a manifest are all there, and are what was meant. */
  #look(name: string, set: SetTruth, { contents, manifest, generation }: Generation): void {
    const { history } = this.#world;
    const named = new Set<string>();
    set.named = named;
    const get = async (hash: string) => {
      named.add(hash);
      const bytes = this.data.get(`${SEGMENTS}${name}/${hash}`);
      if (!bytes) throw new Error(`segment ${hash} is not there`);
      return bytes;
    };
    const read = async () => {
      const source = new Contents(manifest, { get });
      const chunks = [];
      for await (const chunk of source.read()) chunks.push(chunk);
      await source.changes(manifest.layers);
      const found = contentsOf(chunks, manifest);
      if (found.size !== manifest.count || !isSame(found, contents)) {
        throw new Error(`its ${found.size} elements are not the ${contents.size} that were meant`);
      }
    };
    read().catch((error) => {
      history.violate([name], `generation ${generation} cannot be read: ${error.message}`);
    });
  }
}

export function isSame(one: Numbers, other: Numbers): boolean {
  if (one.size !== other.size) return false;
  for (const [key, value] of one) if (other.get(key) !== value) return false;
  return true;
}
