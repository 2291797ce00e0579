import { type Map as MapMessage, MapType } from "@bpfmapd/client/proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { makeMap, type PlainMap, shapeOf, uniqueName } from "./support/plain-map.js";

const PREFIX = uniqueName();
const COUNT = 23;

let daemon: TestDaemon;
const ids: number[] = [];
let pinned: PlainMap;
beforeAll(async () => {
  daemon = await startDaemon();
  for (let index = 0; index < COUNT; index++) {
    const type = index % 2 === 0 ? MapType.HASH : MapType.ARRAY;
    const name = `${PREFIX}.${index}`;
    const spec = { type, name, keySize: 4, valueSize: 8, maxEntries: 1 };
    const { map } = await daemon.client.maps.createMap({ spec, hold: { name: `hold-${index}` } });
    ids.push(map!.id);
  }
  pinned = await makeMap(daemon, shapeOf("HASH"));
});
afterAll(() => daemon?.dispose());

/** Other tests make and free maps meanwhile, so only what is this test's own is looked at. */
const ours = { nameGlob: `${PREFIX}.*` };

async function pages(request: object): Promise<MapMessage[][]> {
  const all: MapMessage[][] = [];
  let pageToken = "";
  do {
    const answer = await daemon.client.maps.listMaps({ ...request, pageToken });
    all.push(answer.maps);
    pageToken = answer.nextPageToken;
  } while (pageToken !== "");
  return all;
}

const idsOf = (maps: readonly MapMessage[]) => maps.map(({ id }) => id);

describe("ListMaps", () => {
  it.each([1, 2, 7, 22, 23, 24, 10_000])(
    "lists each map once by ascending id in pages of %i",
    async (pageSize) => {
      const answers = await pages({ pageSize, filter: ours });
      for (const page of answers) expect(page.length).toBeLessThanOrEqual(pageSize);
      expect(idsOf(answers.flat())).toEqual([...ids].sort((a, b) => a - b));
    },
  );

  it("goes on after maps that were freed between two pages", async () => {
    const spec = { type: MapType.HASH, keySize: 4, valueSize: 4, maxEntries: 1 };
    const name = uniqueName();
    const made: number[] = [];
    for (let index = 0; index < 6; index++) {
      const hold = { name: `gone-${index}` };
      const { map } = await daemon.client.maps.createMap({ spec: { ...spec, name }, hold });
      made.push(map!.id);
    }
    const filter = { nameGlob: name };
    const first = await daemon.client.maps.listMaps({ pageSize: 2, filter });
    for (const index of [1, 2]) await daemon.client.maps.releaseMap({ name: `gone-${index}` });
    const { nextPageToken: pageToken } = first;
    const rest = await daemon.client.maps.listMaps({ pageSize: 10, filter, pageToken });
    expect(idsOf(first.maps)).toEqual(made.slice(0, 2));
    expect(idsOf(rest.maps)).toEqual(made.slice(3));
  });

  it("chooses by name, type, holds and pins, all of them together", async () => {
    const list = async (filter: object) => idsOf((await pages({ filter })).flat());
    const hashes = ids.filter((_, index) => index % 2 === 0);
    expect(await list({ ...ours, types: [MapType.HASH] })).toEqual(hashes);
    expect(await list({ ...ours, types: [MapType.HASH, MapType.ARRAY] })).toEqual(ids);
    expect(await list({ nameGlob: `${PREFIX}.1?` })).toEqual(ids.slice(10, 20));
    expect(await list({ nameGlob: `${PREFIX}.[0-2]` })).toEqual(ids.slice(0, 3));
    expect(await list({ nameGlob: `${PREFIX}.{3,21}` })).toEqual([ids[3], ids[21]]);
    expect(await list({ ...ours, held: true })).toEqual(ids);
    expect(await list({ ...ours, held: false })).toEqual([]);
    expect(await list({ ...ours, pinned: true })).toEqual([]);
    expect(await list({ pinned: true })).toEqual([pinned.id]);
    expect(await list({ pinned: true, types: [MapType.ARRAY] })).toEqual([]);
  });

  it("tells pins and holders only where they are asked for", async () => {
    const filter = { nameGlob: pinned.name };
    const list = async (detail?: object) =>
      (await daemon.client.maps.listMaps({ filter, detail })).maps[0]!;
    expect(await list()).toMatchObject({ pinPaths: [], holders: [] });
    expect((await list({ pins: true })).pinPaths).toEqual([pinned.pinPath]);
    const { holders } = await list({ holders: true });
    expect(holders.map(({ pid }) => pid)).toContain(daemon.pid);
  });

  it("says the same of a map as GetMap does", async () => {
    const filter = { nameGlob: pinned.name };
    const { maps } = await daemon.client.maps.listMaps({ filter, detail: { pins: true } });
    expect(maps).toEqual([await pinned.handle.get({ pins: true })]);
  });
});
