import { type MapHandle, mapRef } from "@bpfmapd/client";
import { LoadStrategy, MapType } from "@bpfmapd/client/proto";
import { expect, it } from "vitest";
import { dumpByBpftool } from "../service/support/bpftool.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { elements, FaultStage, type Picture, u32 } from "./support/fault-stage.js";
import { withFault } from "./support/inject.js";
import { OPERATIONS, type Operation } from "./support/operations.js";

/** What changes more than one thing, or what must outlive the daemon. */
const KILLED = [
  "HoldMap",
  "PinMap",
  "CreateMap, pinned, with elements",
  "LoadMap with REPLACE",
] as const;

const operation = (name: string) => OPERATIONS.find((one) => one.name === name) as Operation;

/** Does work whose `at`-th bpf(2) of a thread kills the daemon, and starts it again; whether it was killed. */
async function killedAt(
  daemon: TestDaemon,
  at: number,
  work: () => Promise<unknown>,
): Promise<boolean> {
  await withFault(daemon.pid, { syscall: "bpf", what: "signal=SIGKILL", when: `${at}` }, work);
  // One that lives ends well when asked.
  const killed = (await daemon.stop()) !== 0;
  await daemon.restart();
  return killed;
}

it.each(KILLED)(
  "%s is done or not done, whichever call the daemon is killed at",
  async (name) => {
    const { act, change } = operation(name);
    const daemon = await startDaemon();
    let killed = true;
    let at = 1;
    for (; killed; at++) {
      const stage = await FaultStage.set(daemon);
      const before = lasting(await stage.picture());
      killed = await killedAt(daemon, at, () => act(stage));
      const after = lasting(await stage.picture());
      const done = lasting(change!(before, stage));
      expectBetween(before, after, done, `killed at call ${at}`);
      if (!killed) expect(after).toEqual(done);
      await stage.clear();
    }
    expect(at).toBeGreaterThan(2);
    expect(daemon.logs.filter(({ level }) => level === "error")).toEqual([]);
  },
  300_000,
);

/** What does not go with the process. */
function lasting(picture: Picture): Picture {
  return { ...picture, open: [] };
}

/** Each thing is as before or as after: an element, a pin, a hold. */
function expectBetween(before: Picture, after: Picture, done: Picture, context: string) {
  for (const list of ["pins", "holds"] as const) {
    const either = [before[list], done[list]];
    expect(either, context).toContainEqual(after[list]);
  }
  // A hold is its pin.
  const held = after.pins.filter((pin) => pin.startsWith("/bpfmapd/"));
  expect(
    held.map((pin) => pin.slice("/bpfmapd/".length)),
    context,
  ).toEqual(after.holds);
  const keys = new Set([before, done, after].flatMap((one) => Object.keys(one.elements)));
  for (const key of keys) {
    const either = [before.elements[key], done.elements[key]];
    expect(either, `${context}: element ${key}`).toContain(after.elements[key]);
  }
}

it("LoadMap with REPLACE_ATOMIC leaves the old map or the new one, whichever call the daemon is killed at", async () => {
  const daemon = await startDaemon();
  const outer = await makeOuter(daemon);
  const replace = (generation: number) =>
    outer.load(elements(0, 8, generation), {
      strategy: LoadStrategy.REPLACE_ATOMIC,
      outerKey: u32(0),
    });
  const contents = async () => {
    const id = await outer.lookup(u32(0));
    return dumpByBpftool(Buffer.from(id!).readUInt32LE());
  };
  await replace(0);
  let before = hexOf(elements(0, 8, 0));
  let killed = true;
  let at = 1;
  for (; killed; at++) {
    killed = await killedAt(daemon, at, () => replace(at));
    const after = await contents();
    const done = hexOf(elements(0, 8, at));
    expect(killed ? [before, done] : [done], `killed at call ${at}`).toContainEqual(after);
    before = after;
  }
  expect(at).toBeGreaterThan(2);
}, 300_000);

/** A pinned map in map whose slot 0 has an inner map. */
async function makeOuter(daemon: TestDaemon): Promise<MapHandle> {
  const { maps } = daemon.client;
  const inner = { type: MapType.HASH, keySize: 4, valueSize: 8, maxEntries: 16 };
  const first = await maps.createMap({ spec: inner, hold: { name: "first" } });
  const { map } = await maps.createMap({
    spec: {
      ...{ type: MapType.HASH_OF_MAPS, keySize: 4, valueSize: 4, maxEntries: 2 },
      innerMapSpec: inner,
    },
    pinPath: `${daemon.bpffs}/outer`,
  });
  const outer = daemon.client.map({ id: map!.id });
  await outer.update(u32(0), { object: { case: "map", value: mapRef({ id: first.map!.id }) } });
  await maps.releaseMap({ name: "first" });
  return outer;
}

const hexOf = (elements: readonly [Buffer, Buffer][]) =>
  elements.map(([key, value]) => [key.toString("hex"), value.toString("hex")]);
