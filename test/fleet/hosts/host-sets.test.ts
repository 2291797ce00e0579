import {
  type FollowMapSetsRequest,
  type FollowMapSetsResponse,
  FollowMapSetsResponseSchema,
  type Welcome,
} from "@bpfmapd/client/proto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { beforeEach, expect, it, onTestFinished, vi } from "vitest";
import { HostSets, systemClock } from "#dist/fleet/index.js";
import { FrameQueue } from "#dist/fleet/session/frame-queue.js";
import { encodeManifest, type Manifest, type MapSets } from "#dist/fleet/sets/index.js";
import { MemoryDisk } from "../reconcile/support/memory-state.ts";
import { SimulatedMap } from "../reconcile/support/simulated-map.ts";
import { elementsOf, numbers, openSets, SPEC } from "../sets-contract/fixture.ts";
import { embedded } from "../support/embedded.ts";

type Frame = MessageInitShape<typeof FollowMapSetsResponseSchema>["frame"];

/** A relay, and the maps of a host that follows it. */
class Stage {
  readonly sets: MapSets;
  readonly maps: Map<string, SimulatedMap>;
  readonly #disk: MemoryDisk;
  readonly #host: HostSets;
  /** Names and hashes that the host has asked for and not been given. */
  readonly asked: { readonly name: string; readonly hash: Uint8Array }[] = [];
  readonly #frames = new FrameQueue<FollowMapSetsResponse>();

  constructor(sets: MapSets, disk = new MemoryDisk(), maps = new Map<string, SimulatedMap>()) {
    this.sets = sets;
    this.maps = maps;
    this.#disk = disk;
    const host = new HostSets({
      ...{ directory: "", verifyMs: 60_000, clock: systemClock },
      log: { warn() {}, error() {} } as unknown as Logger,
      memory: { state: disk, shelf: disk },
      connect: () => {
        throw new Error("nobody calls");
      },
      openMap: ({ name }) => this.map(name),
    });
    this.#host = host;
    onTestFinished(() => host.stop());
    const send = async ({ frame }: FollowMapSetsRequest) => {
      if (frame.case === "segment") this.asked.push(frame.value);
    };
    const link = { send, frames: this.#frames, close: () => this.#frames.end() };
    const followSets = () => link;
    host.follow({
      link: { ...link, relay: { address: "local" }, followSets } as never,
      ...{ hostId: "host-a", welcome: {} as Welcome, over: new AbortController().signal },
    });
  }

  /** A new process of the host. */
  async restart(): Promise<Stage> {
    await this.#host.stop();
    return new Stage(this.sets, this.#disk, this.maps);
  }

  map(name: string): SimulatedMap {
    const map = this.maps.get(name) ?? new SimulatedMap(1000);
    this.maps.set(name, map);
    return map;
  }

  /** Makes a generation of as many elements. */
  async put(name: string, count: number): Promise<Manifest> {
    return (await this.sets.put(name, SPEC, [elementsOf(numbers(0, count))])).manifest;
  }

  tell(frame: Frame): void {
    void this.#frames.send(create(FollowMapSetsResponseSchema, { frame }));
  }

  tellManifest(manifest: Manifest): void {
    const { name } = manifest;
    this.tell({ case: "manifest", value: { name, manifest: encodeManifest(manifest) } });
  }

  /** Waits until the host asks for something, and gives it. */
  async give(): Promise<void> {
    await vi.waitFor(() => expect(this.asked).not.toEqual([]), { interval: 2 });
    for (const { name, hash } of this.asked.splice(0)) {
      const data = await this.sets.segment(name, Buffer.from(hash).toString("hex"));
      this.tell({ case: "segment", value: { name, hash, data } });
    }
  }

  async giveUntil(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      if (this.asked.length > 0) await this.give();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

let stage: Stage;

beforeEach(async () => {
  stage = new Stage((await openSets(embedded)).sets);
});

it("goes on with other sets where one is removed that it still asks segments of", async () => {
  stage.tellManifest(await stage.put("s", 1));
  stage.tell({ case: "synced", value: {} });
  await stage.giveUntil(() => stage.map("s").elements.size === 1);
  stage.tellManifest(await stage.put("s", 2));
  await vi.waitFor(() => expect(stage.asked).not.toEqual([]), { interval: 2 });
  // It comes while the one before is brought in; its page is asked for right after.
  stage.tellManifest(await stage.put("s", 3));
  await stage.giveUntil(() => stage.map("s").elements.size === 2);
  await vi.waitFor(() => expect(stage.asked).not.toEqual([]), { interval: 2 });
  stage.tell({ case: "removed", value: "s" });
  stage.tellManifest(await stage.put("t", 5));
  await stage.giveUntil(() => stage.map("t").elements.size === 5);
});

it("looks at the whole map for a set that comes back after it was removed", async () => {
  const before = await stage.put("s", 3);
  stage.tellManifest(before);
  await stage.giveUntil(() => stage.map("s").elements.size === 3);
  const later = await stage.restart();
  later.tellManifest(before);
  later.tell({ case: "removed", value: "s" });
  later.tellManifest(await stage.put("t", 1));
  await later.giveUntil(() => later.map("t").elements.size === 1);
  later.map("s").elements.delete(0);
  const patch = { puts: elementsOf([[3, 3]]) };
  later.tellManifest((await stage.sets.patch("s", patch)).manifest);
  await later.giveUntil(() => later.map("s").elements.has(3));
  await vi.waitFor(() => expect([...later.map("s").elements.keys()].sort()).toEqual([0, 1, 2, 3]));
});
