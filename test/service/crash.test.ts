import { setTimeout as sleep } from "node:timers/promises";
import { type BpfmapClient, mapRef } from "@bpfmapd/client";
import { expect, it, vi } from "vitest";
import { startDaemon } from "../support/daemon.js";
import { mapExists } from "./support/bpftool.js";
import { u32 } from "./support/elements.js";

const HASH = { type: 1, keySize: 4, valueSize: 8, maxEntries: 1000 };

async function hold(client: BpfmapClient, name: string, leaseSeconds?: number): Promise<number> {
  const lease = leaseSeconds === undefined ? undefined : { seconds: BigInt(leaseSeconds) };
  const { map } = await client.maps.createMap({ spec: HASH, hold: { name, lease } });
  return map!.id;
}

it("finds held maps and their elements under the same names after SIGKILL", async () => {
  const daemon = await startDaemon();
  const ids = new Map<string, number>();
  for (const name of ["one", "two", "three"]) {
    ids.set(name, await hold(daemon.client, name));
    await daemon.client.map({ held: name }).update(u32(7), Buffer.from(name.padEnd(8)));
  }
  await daemon.kill();
  await daemon.restart();
  for (const [name, id] of ids) {
    const map = daemon.client.map({ held: name });
    expect((await map.get()).id).toBe(id);
    expect(
      Buffer.from((await map.lookup(u32(7)))!)
        .toString()
        .trimEnd(),
    ).toBe(name);
  }
});

it("starts leases anew after SIGKILL, and frees the map of one that runs out", async () => {
  const daemon = await startDaemon();
  const short = await hold(daemon.client, "short", 2);
  const long = await hold(daemon.client, "long", 3600);
  await daemon.kill();
  await daemon.restart();
  expect((await daemon.client.map({ held: "short" }).get()).id).toBe(short);
  await vi.waitFor(
    () =>
      expect(daemon.client.map({ id: short }).get()).rejects.toMatchObject({
        reason: "MAP_NOT_FOUND",
      }),
    { timeout: 20_000, interval: 200 },
  );
  await vi.waitFor(() => expect(mapExists(short)).toBe(false), { timeout: 20_000, interval: 100 });
  await expect(daemon.client.map({ held: "short" }).get()).rejects.toMatchObject({
    reason: "HOLD_NOT_FOUND",
  });
  expect((await daemon.client.map({ held: "long" }).get()).id).toBe(long);
});

it("a lease that is kept alive does not run out", async () => {
  const daemon = await startDaemon();
  const id = await hold(daemon.client, "kept", 2);
  for (let round = 0; round < 8; round++) {
    await sleep(500);
    await daemon.client.maps.keepAlive({ names: ["kept"] });
  }
  expect((await daemon.client.map({ held: "kept" }).get()).id).toBe(id);
});

/** Work that goes on until the daemon dies under it, noting all that was answered. */
class Work {
  readonly #client: BpfmapClient;
  readonly #round: number;
  /** Map id by hold, of holds that must be there. */
  readonly held = new Map<string, number>();
  /** Holds whose release was asked for: they may be there or not. */
  readonly released = new Set<string>();
  /** Elements that must be in the map that is loaded, from 0. */
  loaded = 0;
  readonly #loadedName: string;

  constructor(client: BpfmapClient, round: number) {
    this.#client = client;
    this.#round = round;
    this.#loadedName = `loaded-${round}`;
  }

  async begin(): Promise<() => Promise<unknown>> {
    this.held.set(this.#loadedName, await hold(this.#client, this.#loadedName));
    const work = Promise.allSettled([this.#createAndHold(), this.#release(), this.#load()]);
    return () => work;
  }

  async #createAndHold(): Promise<never> {
    for (let index = 0; ; index++) {
      const name = `hold-${this.#round}-${index}`;
      const id = await hold(this.#client, name, index % 2 ? 3600 : undefined);
      this.held.set(name, id);
      const again = `${name}-again`;
      await this.#client.maps.holdMap({ map: mapRef({ id }), hold: { name: again } });
      this.held.set(again, id);
    }
  }

  async #release(): Promise<never> {
    for (let index = 0; ; index++) {
      const name = `short-${this.#round}-${index}`;
      await hold(this.#client, name);
      this.released.add(name);
      await this.#client.maps.releaseMap({ name });
    }
  }

  async #load(): Promise<never> {
    const map = this.#client.map({ held: this.#loadedName });
    for (;;) {
      const some = [0, 1, 2, 3].map((at) => (this.loaded + at) % HASH.maxEntries);
      await map.load(some.map((index) => [u32(index), Buffer.from(`${index}`.padEnd(8))] as const));
      this.loaded = Math.min(HASH.maxEntries, this.loaded + some.length);
    }
  }

  /** All that was answered is there, and nothing that nobody asked for. */
  async expectThere(): Promise<void> {
    const { maps } = await this.#client.maps.listMaps({ filter: { held: true }, pageSize: 10_000 });
    const there = new Map(maps.flatMap((map) => map.holds.map((one) => [one.name, map.id])));
    for (const [name, id] of this.held) expect(there.get(name), name).toBe(id);
    const map = this.#client.map({ held: this.#loadedName });
    const keys = Array.from({ length: this.loaded }, (_, index) => u32(index));
    const values = await map.lookupMany(keys);
    expect(values.filter((value) => value === undefined)).toEqual([]);
  }
}

it("has all that was answered, whenever it is killed", async () => {
  const daemon = await startDaemon();
  const rounds: Work[] = [];
  const last = 11;
  for (let round = 0; round <= last; round++) {
    const work = new Work(daemon.client, round);
    const ended = await work.begin();
    rounds.push(work);
    // Shorter and longer than the first load takes, whose thread has to start.
    await sleep((round * 137) % 500);
    // Where the host is busy, none of them may have been long enough.
    const hasLoaded = () => expect(rounds.some(({ loaded }) => loaded > 0)).toBe(true);
    if (round === last) await vi.waitFor(hasLoaded, { timeout: 60_000, interval: 10 });
    await daemon.kill();
    await ended();
    await daemon.restart();
    for (const before of rounds) await before.expectThere();
  }
  expect(rounds.some(({ held }) => held.size > 3)).toBe(true);
  expect(daemon.logs.filter(({ level }) => level === "error")).toEqual([]);
}, 400_000);
