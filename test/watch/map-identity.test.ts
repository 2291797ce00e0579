import { setTimeout as sleep } from "node:timers/promises";
import { BpfmapError, status } from "@bpfmapd/client";
import { OnRecreate, ResyncReason } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, it } from "vitest";
import { mapExists } from "../service/support/bpftool.js";
import { hex, u32, u64 } from "../service/support/elements.js";
import { shapeOf, specOf, uniqueName } from "../service/support/plain-map.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { WatchReader, watchRequest } from "./support/watch-reader.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

const onRecreate = OnRecreate.FOLLOW;

/** Ways to name a map, and how a map comes to be named so and to be freed. */
const NAMINGS = [
  {
    by: "pin",
    ref: (name: string) => ({ pinPath: `${daemon.bpffs}/${name}` }),
    make: (name: string) => ({ pinPath: `${daemon.bpffs}/${name}` }),
    free: (name: string) => daemon.client.maps.unpinMap({ path: `${daemon.bpffs}/${name}` }),
  },
  {
    by: "hold",
    ref: (name: string) => ({ held: name }),
    make: (name: string) => ({ hold: { name } }),
    free: (name: string) => daemon.client.maps.releaseMap({ name }),
  },
  {
    by: "name",
    ref: (name: string) => ({ name }),
    make: (name: string) => ({ hold: { name } }),
    free: (name: string) => daemon.client.maps.releaseMap({ name }),
  },
] as const;

async function make(naming: (typeof NAMINGS)[number], name: string, value: number) {
  const { map } = await daemon.client.maps.createMap({
    spec: specOf(shapeOf("HASH"), name),
    ...naming.make(name),
    initialElements: { count: 1, keys: u32(value), values: u64(value) },
  });
  return map!.id;
}

describe.each(NAMINGS)("a watch of a map named by $by", (naming) => {
  it("ends with map_gone when the map is freed", async () => {
    const name = uniqueName();
    const id = await make(naming, name, 1);
    const watch = new WatchReader(daemon.client, watchRequest(naming.ref(name)));
    await watch.synced();
    await naming.free(name);
    expect((await watch.until("mapGone")).id).toBe(id);
    expect(await watch.next()).toBeUndefined();
  });

  it("goes on with the next map of that name where it is to follow", async () => {
    const name = uniqueName();
    await make(naming, name, 1);
    const watch = new WatchReader(daemon.client, watchRequest(naming.ref(name), { onRecreate }));
    await watch.synced();
    await naming.free(name);
    await watch.until("mapGone");
    const next = await make(naming, name, 2);
    expect((await watch.until("resync")).reason).toBe(ResyncReason.MAP_RECREATED);
    expect((await watch.until("created")).map?.id).toBe(next);
    await watch.synced();
    expect([...watch.contents.keys()]).toEqual([hex(u32(2))]);
    await naming.free(name);
    await watch.until("mapGone");
  });
});

describe("a watch", () => {
  it("of a map named by id ends when the map is freed, though it is to follow", async () => {
    const [naming] = NAMINGS;
    const name = uniqueName();
    const id = await make(naming, name, 1);
    const watch = new WatchReader(daemon.client, watchRequest({ id }, { onRecreate }));
    await watch.synced();
    await naming.free(name);
    await watch.until("mapGone");
    expect(await watch.next()).toBeUndefined();
  });

  it("follows a pin that another map is put under, while the map before still lives", async () => {
    const [pin, hold] = NAMINGS;
    const name = uniqueName();
    const kept = uniqueName();
    await make(pin, name, 1);
    await daemon.client.maps.holdMap({ map: { ref: pinOf(name) }, hold: { name: kept } });
    const watch = new WatchReader(daemon.client, watchRequest(pin.ref(name), { onRecreate }));
    await watch.synced();
    await pin.free(name);
    const next = await make(pin, name, 2);
    expect((await watch.until("resync")).reason).toBe(ResyncReason.MAP_RECREATED);
    expect((await watch.until("created")).map?.id).toBe(next);
    await watch.synced();
    expect([...watch.contents.keys()]).toEqual([hex(u32(2))]);
    await hold.free(kept);
    await pin.free(name);
    await watch.until("mapGone");
  });

  it("keeps no map alive", async () => {
    const [pin] = NAMINGS;
    const name = uniqueName();
    const id = await make(pin, name, 1);
    const hour = { pollInterval: { seconds: 3600n } };
    const watch = new WatchReader(daemon.client, watchRequest(pin.ref(name), hour));
    await watch.synced();
    await pin.free(name);
    while (mapExists(id)) await sleep(20);
  });

  it("of a map that is not there is refused with MAP_NOT_FOUND", async () => {
    const request = watchRequest({ pinPath: `${daemon.bpffs}/nothing` }, { onRecreate });
    const watch = new WatchReader(daemon.client, request);
    const error = await watch
      .next()
      .then(() => expect.fail("it was not refused"), BpfmapError.from);
    expect(error.code).toBe(status.NOT_FOUND);
  });
});

function pinOf(name: string) {
  return { case: "pinPath" as const, value: `${daemon.bpffs}/${name}` };
}
