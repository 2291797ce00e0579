import { mkdirSync, symlinkSync } from "node:fs";
import { type BpfmapClient, BpfmapError, type MapHandle, status } from "@bpfmapd/client";
import { expect } from "vitest";
import { startDaemon, type TestDaemon } from "../../support/daemon.js";
import { bpftoolBatch } from "./bpftool.js";
import { openMaps, pinTree } from "./daemon-state.js";
import { makeMap, type PlainMap, samples, shapeOf } from "./plain-map.js";

/** How a call must be refused. */
export interface Refusal {
  readonly code: status;
  readonly reason: string;
  /** The field at fault, the first of them. */
  readonly field?: string;
}

export const refusal = (code: status, reason: string, field?: string): Refusal => ({
  code,
  reason,
  ...(field !== undefined && { field }),
});

/** INVALID_ARGUMENT, which always tells the field. */
export const invalid = (reason: string, field: string) =>
  refusal(status.INVALID_ARGUMENT, reason, field);

export const invalidField = (field: string) => invalid("FIELD_INVALID", field);

export const notSupported = refusal(status.UNIMPLEMENTED, "OPERATION_NOT_SUPPORTED");
export const frozen = refusal(status.FAILED_PRECONDITION, "MAP_FROZEN");
export const full = refusal(status.RESOURCE_EXHAUSTED, "MAP_FULL");

/** The maps of a stage. Each has some elements; `full…` have no room for another. */
export type StageMap =
  | "hash"
  | "fullHash"
  | "frozenHash"
  | "array"
  | "percpu"
  | "trie"
  | "fullTrie"
  | "queue"
  | "fullQueue"
  | "frozenQueue"
  | "stack"
  | "bloom"
  | "wide";

/** A call that must be refused, and the map that the message must name, if it can know one. */
export type BadCall = readonly [
  title: string,
  call: (stage: Stage) => Promise<unknown>,
  refusal: Refusal,
  about?: StageMap,
];

/** Calls as `it.each` takes them. */
export const titled = (calls: readonly BadCall[]) =>
  calls.map((call): [title: string, call: BadCall] => [call[0], call]);

/** A daemon with maps of all kinds, on which bad calls are tried. */
export class Stage {
  readonly daemon: TestDaemon;
  readonly maps: Readonly<Record<StageMap, PlainMap>>;
  /** A name that two maps have. */
  readonly twin: { readonly name: string; readonly ids: readonly number[] };
  /** An element of "hash". */
  readonly element: readonly [Buffer, Buffer];
  /** A key that "hash" does not have. */
  readonly missing = Buffer.from("0123");

  /** The picture after the call before: nothing else may change the stage. */
  #last: unknown;

  private constructor(
    daemon: TestDaemon,
    maps: Record<StageMap, PlainMap>,
    twin: { name: string; ids: number[] },
  ) {
    this.daemon = daemon;
    this.maps = maps;
    this.twin = twin;
    this.element = samples(maps.hash, 0, 1)[0]!;
  }

  static async set(): Promise<Stage> {
    const daemon = await startDaemon();
    const make = (type: Parameters<typeof shapeOf>[0], more = {}) =>
      makeMap(daemon, shapeOf(type, { maxEntries: 4, ...more }));
    const maps: Record<StageMap, PlainMap> = {
      hash: await make("HASH"),
      fullHash: await make("HASH", { maxEntries: 2 }),
      frozenHash: await make("HASH"),
      array: await make("ARRAY"),
      percpu: await make("PERCPU_HASH", { valueSize: 12 }),
      trie: await make("LPM_TRIE"),
      fullTrie: await make("LPM_TRIE", { maxEntries: 2 }),
      queue: await make("QUEUE"),
      fullQueue: await make("QUEUE", { maxEntries: 2 }),
      frozenQueue: await make("QUEUE"),
      stack: await make("STACK"),
      bloom: await make("BLOOM_FILTER"),
      wide: await make("ARRAY", { valueSize: 1 << 16, maxEntries: 1 }),
    };
    for (const map of Object.values(maps)) await fill(map);
    await maps.frozenHash.handle.freeze();
    await maps.frozenQueue.handle.freeze();
    const twin = await makeTwins(daemon);
    mkdirSync(`${daemon.bpffs}/directory`);
    symlinkSync(maps.hash.pinPath, `${daemon.bpffs}/link`);
    symlinkSync("/", `${daemon.bpffs}/way-out`);
    return new Stage(daemon, maps, twin);
  }

  get client(): BpfmapClient {
    return this.daemon.client;
  }

  handle(map: StageMap): MapHandle {
    return this.maps[map].handle;
  }

  ref(map: StageMap) {
    return this.handle(map).ref;
  }

  /** The path of a pin that is not there. */
  path(name: string): string {
    return `${this.daemon.bpffs}/${name}`;
  }

  /** The call is refused as it must be, and has changed nothing. */
  async expectRefused([title, call, refused, about]: BadCall): Promise<void> {
    const before = this.#last ?? (await this.#picture());
    const error = await call(this).then(
      () => expect.fail(`${title} was not refused`),
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(BpfmapError);
    const { code, reason, message, violations, metadata } = error as BpfmapError;
    const told = { code: status[code], reason, field: violations[0]?.field };
    expect(told, message).toMatchObject({ ...refused, code: status[refused.code] });
    if (refused.field === undefined) expect(violations).toEqual([]);
    for (const violation of violations) expect(violation.description).not.toBe("");
    if (about !== undefined) {
      const { id, name } = this.maps[about];
      expect(message).toContain(`map ${id} "${name}"`);
      expect(metadata.map).toContain(`map ${id} "${name}"`);
    }
    this.#last = await this.#picture();
    expect(this.#last).toEqual(before);
  }

  /** All that a call could have changed, most of it as bpftool sees it. */
  async #picture() {
    const all = Object.values(this.maps);
    const { queue, fullQueue, frozenQueue, stack } = this.maps;
    const contents = bpftoolBatch([
      ...all.map(({ id }) => `map show id ${id}`),
      ...all.filter(({ shape }) => shape.keySize > 0).map(({ id }) => `map dump id ${id}`),
      ...[queue, fullQueue, frozenQueue, stack].map(({ id }) => `map peek id ${id}`),
    ]);
    const { maps } = await this.client.maps.listMaps({ filter: { held: true } });
    return {
      contents,
      pins: pinTree(this.daemon.bpffs),
      open: openMaps(this.daemon.pid),
      holds: maps.map(({ id, holds }) => ({
        id,
        holds: holds.map(({ name, lease }) => ({ name, lease })),
      })),
      errors: this.daemon.logs.filter(({ level }) => level === "error"),
    };
  }

  dispose(): Promise<void> {
    return this.daemon.dispose();
  }
}

async function fill(map: PlainMap): Promise<void> {
  const count = map.shape.maxEntries === 2 ? 2 : 1;
  const elements = samples(map, 0, count);
  if (map.shape.keySize === 0) await map.handle.push(elements.map(([, value]) => value));
  else await map.handle.updateMany(elements);
}

async function makeTwins(daemon: TestDaemon): Promise<{ name: string; ids: number[] }> {
  const { name, id } = await makeMap(daemon, shapeOf("HASH"));
  const { map } = await daemon.client.maps.createMap({
    spec: { type: 1, name, keySize: 4, valueSize: 4, maxEntries: 1 },
    hold: { name: `${name}-twin` },
  });
  return { name, ids: [id, map!.id] };
}
