import { type Elements, Liveness } from "@bpfmapd/client/proto";
import { expect, it } from "vitest";
import { bpftoolDump } from "../../maps/support/bpftool.js";
import type { TestDaemon } from "../../support/daemon.js";
import { elementsOf, numbers, patchOf } from "../sets-contract/fixture.ts";
import { startEtcd } from "../support/etcd.ts";
import { startHost, startRelay, untilConnected } from "../support/fleet.js";
import { holdMap, putSet, specFor, untilApplied } from "../support/map-sets.ts";

const ELEMENTS = 5000;

/** What the fleet must end with: written by one controller, whose calls may be cut off. */
class Controller {
  readonly contents = new Map<number, number>(numbers(0, ELEMENTS));
  readonly #relays: readonly TestDaemon[];
  generation = 1n;
  acknowledged = 0;
  #round = 0;

  constructor(relays: readonly TestDaemon[]) {
    this.#relays = relays;
  }

  /** Changes some elements. A patch that was cut off is made again until it is acknowledged. */
  async patch(): Promise<void> {
    const round = ++this.#round;
    const puts = new Map(
      [...Array(50).keys()].map((at) => [(round * 131 + at * 17) % 6000, round]),
    );
    const removed = [(round * 7) % 6000, (round * 11) % 6000].filter((key) => !puts.has(key));
    const { removals } = patchOf([], new Set(removed));
    const request = {
      name: "s",
      puts: elementsOf(puts) as Elements,
      ...{ removedKeys: removals!.keys, removedCount: removals!.count },
    };
    for (let tries = 0; ; tries++) {
      const relay = this.#relays[(round + tries) % this.#relays.length]!;
      try {
        const { mapSet } = await relay.client.fleet.patchMapSet(request, { deadlineMs: 5000 });
        expect(mapSet!.generation).toBeGreaterThanOrEqual(this.generation);
        this.generation = mapSet!.generation;
        break;
      } catch (error) {
        if (tries > 100) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
    for (const [key, value] of puts) this.contents.set(key, value);
    for (const key of removed) this.contents.delete(key);
    this.acknowledged++;
  }
}

it("is on every host as it was acknowledged, after relays, hosts and the store were killed", async () => {
  const etcd = await startEtcd();
  try {
    const args = ["--etcd", etcd.endpoint];
    const relays = [await startRelay("r1", { args }), await startRelay("r2", { args })];
    const hosts: TestDaemon[] = [];
    for (const id of ["a", "b", "c"]) hosts.push(await startHost(id, relays));
    await untilConnected(relays[0]!, "a", "b", "c");
    const ids = await Promise.all(hosts.map((host) => holdMap(host, "m")));
    const controller = new Controller(relays);
    await putSet(relays[0]!, "s", specFor("m"), controller.contents);
    let isOver = false;
    const writing = (async () => {
      while (!isOver) await controller.patch();
    })();
    for (const victim of [hosts[0]!, relays[0]!, etcd, hosts[1]!, relays[1]!]) {
      const { acknowledged } = controller;
      await expect
        .poll(() => controller.acknowledged, { timeout: 30_000 })
        .toBeGreaterThan(acknowledged + 3);
      await victim.kill();
      if ("restart" in victim) await victim.restart();
      else await victim.start();
    }
    isOver = true;
    await writing;
    const told = await untilConnected(relays[0]!, "a", "b", "c");
    for (const host of told.values()) expect(host.liveness).toBe(Liveness.CONNECTED);
    await untilApplied(relays[1]!, "s", controller.generation, 3);
    const hex = (number: number) => number.toString(16).padStart(8, "0");
    const expected = new Map(
      [...controller.contents].map(([key, value]) => [hex(key), hex(value)]),
    );
    for (const id of ids) expect(bpftoolDump(id)).toEqual(expected);
  } finally {
    await etcd.dispose();
  }
}, 180_000);
