import { setImmediate as nextTurn } from "node:timers/promises";
import {
  CallOriginSchema,
  HostSelectorSchema,
  WatchFleetResponseSchema,
  WatchRequestSchema,
} from "@bpfmapd/client/proto";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type FleetWatch, watchFleet } from "#dist/fleet/fleet-watch/watch-fleet.js";
import type { FleetWatchEvent } from "#dist/fleet/index.js";
import { fleetWatchMessage } from "#dist/rpc/messages/fleet-watch-message.js";
import { Dice } from "../../fuzz/support/dice.js";
import { ChangingFleet, type ChangingHost } from "../support/changing-hosts.js";
import { FleetPicture } from "../support/fleet-picture.js";

const seeds = process.env.BPFMAPD_MODEL_SEED
  ? [Number(process.env.BPFMAPD_MODEL_SEED)]
  : Array.from(
      { length: Number(process.env.BPFMAPD_MODEL_SEEDS ?? 12) },
      (_, index) => 20_261_201 + index,
    );
const HOSTS = 7;
const STEPS = 400;

const FLEET = {
  selector: create(HostSelectorSchema, { labels: { chosen: "true" } }),
  watch: create(WatchRequestSchema),
  concurrency: 2,
  origin: create(CallOriginSchema, { name: "test" }),
  requestId: "",
};

/** A controller that keeps a picture, reads at its own pace, and may begin anew by its positions. */
class Reader {
  readonly picture = new FleetPicture();
  paused = false;
  readonly #fleet: ChangingFleet;
  #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();

  constructor(fleet: ChangingFleet) {
    this.#fleet = fleet;
  }

  begin(): void {
    this.#stop = new AbortController();
    const positions = new Map(
      this.picture.positions.map(({ hostId, resumeToken }) => [hostId!, resumeToken!]),
    );
    // As the clients do: what cannot go on is not known any more.
    for (const hostId of this.picture.hosts.keys()) {
      if (!positions.has(hostId)) this.picture.hosts.delete(hostId);
    }
    this.#done = this.#read({ ...FLEET, positions }, this.#stop.signal);
  }

  async end(): Promise<void> {
    this.#stop.abort(new Error("the reader is gone"));
    await this.#done;
  }

  async #read(watch: FleetWatch, signal: AbortSignal): Promise<void> {
    const begun = new Set<string>();
    try {
      for await (const event of watchFleet(this.#fleet.parts, watch, signal)) {
        while (this.paused && !signal.aborted) await nextTurn();
        this.#check(event, begun);
        this.picture.apply(create(WatchFleetResponseSchema, fleetWatchMessage(event)));
        if (event.kind === "message") this.#checkBookmark(event.hostId, event.response.kind);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Of a host nothing is told before its stream has begun, or after it is over. */
  #check(event: FleetWatchEvent, begun: Set<string>): void {
    if (event.kind === "begun") begun.add(event.hostId);
    if (event.kind === "message") expect(begun).toContain(event.hostId);
    if (event.kind === "lost" || event.kind === "left") begun.delete(event.hostId);
  }

  /** A bookmark means that the reader holds exactly what the host had at its revision. */
  #checkBookmark(
    hostId: string,
    kind: Extract<FleetWatchEvent, { kind: "message" }>["response"]["kind"],
  ): void {
    if (kind.case !== "bookmark") return;
    const held = this.picture.hosts.get(hostId)?.elements;
    const host = this.#fleet.hosts.get(hostId);
    expect(sorted(held)).toEqual(sorted(host?.contents(Number(kind.value.revision))));
  }
}

const sorted = (elements: ReadonlyMap<number, bigint> | undefined) =>
  [...(elements ?? [])].sort(([a], [b]) => a - b);

/** Something happens to the fleet or its reader. */
async function step(fleet: ChangingFleet, reader: Reader, dice: Dice): Promise<void> {
  const host = dice.pick([...fleet.hosts.values()]);
  const action = dice.number(100);
  if (action < 60) change(host, dice);
  else if (action < 66) host.cut();
  else if (action < 72) host.down = !host.down;
  else if (action < 76) host.epoch++;
  else if (action < 80) host.forget();
  else if (action < 88) host.chosen = !host.chosen;
  else if (action < 94) reader.paused = !reader.paused;
  else if (action < 96) {
    await reader.end();
    reader.begin();
  }
  if (action >= 60 && action < 88) fleet.tell(host.id);
  if (dice.chance(0.5)) await nextTurn();
}

function change(host: ChangingHost, dice: Dice): void {
  const value = dice.chance(0.3) ? undefined : BigInt(dice.number(1000));
  host.change(dice.number(8), value);
}

describe("a watch of a fleet", () => {
  it.each(seeds)(
    "holds what each host has, whatever comes and goes (BPFMAPD_MODEL_SEED=%i)",
    async (seed) => {
      const dice = new Dice(seed);
      const fleet = new ChangingFleet(HOSTS, dice);
      const reader = new Reader(fleet);
      reader.begin();
      for (let at = 0; at < STEPS; at++) await step(fleet, reader, dice);
      // All is well again.
      reader.paused = false;
      for (const host of fleet.hosts.values()) {
        host.down = false;
        fleet.tell(host.id);
      }
      const isRight = () =>
        [...fleet.hosts.values()].every((host) => {
          const held = reader.picture.hosts.get(host.id);
          if (!host.chosen) return held === undefined;
          const wanted = JSON.stringify(sorted(host.contents()).map(String));
          return held?.synced && JSON.stringify(sorted(held.elements).map(String)) === wanted;
        });
      while (!isRight()) await nextTurn();
      await reader.end();
    },
  );

  it("begins anew on a host that has left and comes back, whatever position it began with", async () => {
    const fleet = new ChangingFleet(1, new Dice(1));
    const [host] = fleet.hosts.values() as Iterable<ChangingHost> as [ChangingHost];
    for (let key = 0; key < 5; key++) host.change(key, 1n);
    const stop = new AbortController();
    const positions = new Map([[host.id, Buffer.from("0:5")]]);
    const events = watchFleet(fleet.parts, { ...FLEET, positions }, stop.signal);
    const told: string[] = [];
    const until = async (line: string) => {
      while (told.at(-1) !== line) {
        const event = (await events.next()).value as FleetWatchEvent;
        if (event.kind === "begun") told.push(event.resumed ? "resumed" : "anew");
        if (event.kind === "left") told.push("left");
      }
    };
    await until("resumed");
    for (const [chosen, line] of [
      [false, "left"],
      [true, "anew"],
    ] as const) {
      host.chosen = chosen;
      fleet.tell(host.id);
      await until(line);
    }
    stop.abort();
    await events.return();
  });
});
