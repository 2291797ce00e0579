import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { mapFreeze, objPin } from "#dist/kernel/index.js";
import {
  getMap,
  holdMap,
  type ListMapsFilter,
  listMaps,
  type MapDetail,
  type MapHost,
  type MapRecord,
  MapType,
} from "#dist/maps/index.js";
import { bpftoolMapIds } from "./support/bpftool.js";
import { run, startHost, type TestBpffs } from "./support/host.js";
import { makeMap } from "./support/kernel-map.js";
import { expectFailure } from "./support/outcome.js";
import { pinProgram } from "./support/program-pin.js";

let host: MapHost;
let bpffs: TestBpffs;
beforeAll(async () => {
  const started = await startHost();
  ({ host, bpffs } = started);
  return started.close;
});

/** Names of this process alone: other tests make maps at the same time. */
let count = 0;
const unique = () => `c${process.pid}_${count++}`;
const at = (...parts: string[]) => join(bpffs.root, ...parts);

/** All pages of a list. */
async function listed(
  filter: ListMapsFilter,
  detail: MapDetail = {},
  pageSize = 1000,
): Promise<MapRecord[][]> {
  const pages: MapRecord[][] = [];
  for (let afterId: number | undefined = 0; afterId !== undefined; ) {
    const page = await listMaps(host, { pageSize, afterId, filter, detail });
    pages.push(page.maps);
    afterId = "nextAfterId" in page ? page.nextAfterId : undefined;
  }
  return pages;
}

const idsOf = (maps: readonly MapRecord[]) => maps.map(({ id }) => id);

async function listedIds(filter: ListMapsFilter): Promise<number[]> {
  return idsOf((await listed(filter)).flat());
}

describe("ListMaps", () => {
  it("lists every map once, by ascending id, over any number of pages", async () => {
    const prefix = unique();
    const ids = Array.from({ length: 300 }, (_, index) =>
      makeMap(index % 2 ? "HASH" : "ARRAY", { name: `${prefix}_${index}` }),
    ).map(({ id }) => id);
    for (const pageSize of [1, 7, 100, 300, 301]) {
      const pages = await listed({ nameGlob: `${prefix}_*` }, {}, pageSize);
      expect(idsOf(pages.flat())).toEqual([...ids].sort((a, b) => a - b));
      expect(Math.max(...pages.map((page) => page.length))).toBe(Math.min(pageSize, 300));
    }
  });

  it("lists what bpftool lists", async () => {
    const { id } = makeMap("HASH", { name: unique() });
    const before = new Set(bpftoolMapIds());
    const seen = await listedIds({});
    const after = new Set(bpftoolMapIds());
    expect(seen).toContain(id);
    // Others make and free maps meanwhile; those that bpftool saw twice were there.
    expect(seen).toEqual(expect.arrayContaining([...before].filter((one) => after.has(one))));
  });

  it("goes on where maps are freed between two pages", async () => {
    const prefix = unique();
    const first = makeMap("HASH", { name: `${prefix}_1` });
    const second = makeMap("HASH", { name: `${prefix}_2` });
    const filter = { nameGlob: `${prefix}_*` };
    const page = await listMaps(host, { pageSize: 1, filter });
    expect(idsOf(page.maps)).toEqual([first.id]);
    const rest = await listMaps(host, { pageSize: 5, afterId: first.id, filter });
    expect(idsOf(rest.maps)).toEqual([second.id]);
  });
});

describe("a filter of ListMaps", () => {
  it("chooses by a shell pattern over the name", async () => {
    const prefix = unique();
    const [one, two, dotted] = ["_a1", "_b2", ".c3"].map((end) =>
      makeMap("HASH", { name: `${prefix}${end}` }),
    );
    const chosen = (end: string) => listedIds({ nameGlob: `${prefix}${end}` });
    expect(await chosen("_a1")).toEqual([one?.id]);
    expect(await chosen("_?2")).toEqual([two?.id]);
    expect(await chosen("_[a-b]*")).toEqual([one?.id, two?.id]);
    expect(await chosen("{_a1,.c3}")).toEqual([one?.id, dotted?.id]);
    expect(await chosen("*")).toEqual([one?.id, two?.id, dotted?.id]);
    expect(await chosen("")).toEqual([]);
  });

  it("lists maps without a name for '*', and for no other pattern", async () => {
    const { id } = makeMap("HASH");
    expect(await listedIds({ nameGlob: "*" })).toContain(id);
    expect(await listedIds({ nameGlob: "?*" })).not.toContain(id);
  });

  it("chooses by type, by pins and by holds, and wants all of them to hold", async () => {
    const prefix = unique();
    const named = (index: number) => ({ name: `${prefix}_${index}` });
    const hash = makeMap("HASH", named(0));
    const array = makeMap("ARRAY", named(1));
    const trie = makeMap("LPM_TRIE", named(2));
    objPin(at(`${prefix}_pin`), hash.fd);
    objPin(at(`${prefix}_trie`), trie.fd);
    await holdMap(host, { by: "id", id: array.id }, { name: prefix });
    await holdMap(host, { by: "id", id: trie.id }, { name: `${prefix}_trie` });
    onTestFinished(() => {
      host.holds.release(prefix);
      host.holds.release(`${prefix}_trie`);
    });
    const chosen = (filter: ListMapsFilter) => listedIds({ nameGlob: `${prefix}_*`, ...filter });
    expect(await chosen({ types: [MapType.ARRAY, MapType.LPM_TRIE] })).toEqual([array.id, trie.id]);
    expect(await chosen({ types: [] })).toEqual([hash.id, array.id, trie.id]);
    expect(await chosen({ pinned: true })).toEqual([hash.id, trie.id]);
    expect(await chosen({ pinned: false })).toEqual([array.id]);
    expect(await chosen({ held: true })).toEqual([array.id, trie.id]);
    expect(await chosen({ held: false })).toEqual([hash.id]);
    expect(await chosen({ held: true, pinned: true })).toEqual([trie.id]);
    expect(await chosen({ held: true, pinned: true, types: [MapType.ARRAY] })).toEqual([]);
  });

  it("by pins tells no pins where they were not asked for", async () => {
    const prefix = unique();
    const { fd } = makeMap("HASH", { name: prefix });
    objPin(at(prefix), fd);
    const filter = { nameGlob: prefix, pinned: true };
    expect((await listed(filter)).flat()[0]?.pinPaths).toEqual([]);
    expect((await listed(filter, { pins: true })).flat()[0]?.pinPaths).toEqual([at(prefix)]);
  });
});

describe("what is told of a map", () => {
  it("is what the kernel and bpftool know", async () => {
    const name = unique();
    const map = makeMap("PERCPU_HASH", {
      name,
      valueSize: 12,
      keySize: 5,
      maxEntries: 77,
      flags: 1,
    });
    mapFreeze(map.fd);
    const record = await getMap(host, { by: "id", id: map.id });
    const shown = JSON.parse(run("bpftool", "-j", "map", "show", "id", `${map.id}`));
    expect(record).toMatchObject({
      id: shown.id,
      type: MapType.PERCPU_HASH,
      name: shown.name,
      keySize: shown.bytes_key,
      valueSize: shown.bytes_value,
      maxEntries: shown.max_entries,
      flags: shown.flags,
      memlockBytes: shown.bytes_memlock,
      frozen: shown.frozen === 1,
      cpus: host.identity.possibleCpus,
      valueStride: 16 * host.identity.possibleCpus.length,
      bootId: host.identity.bootId,
    });
  });

  it("has the pins of all directories, sorted, but not those of the daemon's holds", async () => {
    const name = unique();
    const { id, fd } = makeMap("HASH", { name });
    mkdirSync(at(`${name}_d`));
    objPin(at(`${name}_d`, "z"), fd);
    objPin(at(`${name}_d`, "a"), fd);
    objPin(at(`${name}_b`), fd);
    pinProgram(at(`${name}_program`));
    symlinkSync(at(`${name}_b`), at(`${name}_link`));
    await holdMap(host, { by: "id", id }, { name });
    onTestFinished(() => host.holds.release(name));
    const { pinPaths, holds } = await getMap(host, { by: "id", id }, { pins: true });
    expect(pinPaths).toEqual([at(`${name}_b`), at(`${name}_d`, "a"), at(`${name}_d`, "z")]);
    expect(holds.map((hold) => hold.name)).toEqual([name]);
  });

  it("has no pins that a reference could not name: those of other file systems inside a root", async () => {
    const name = unique();
    const { id, fd } = makeMap("HASH", { name });
    mkdirSync(at(name));
    run("mount", "-t", "bpf", "bpf", at(name));
    onTestFinished(() => void run("umount", at(name)));
    objPin(at(name, "inside"), fd);
    expect((await getMap(host, { by: "id", id }, { pins: true })).pinPaths).toEqual([]);
  });

  it("has the processes that hold it open", async () => {
    const { id } = makeMap("HASH");
    const { holders } = await getMap(host, { by: "id", id }, { holders: true });
    expect(holders.map(({ pid }) => pid)).toContain(process.pid);
    expect(holders.find(({ pid }) => pid === process.pid)?.comm).not.toBe("");
    expect((await getMap(host, { by: "id", id })).holders).toEqual([]);
  });
});

describe("a reference", () => {
  it("finds a map by id, by pin, by name and by hold", async () => {
    const name = unique();
    const { id, fd } = makeMap("HASH", { name });
    objPin(at(name), fd);
    await holdMap(host, { by: "name", name }, { name });
    onTestFinished(() => host.holds.release(name));
    const { bootId } = host.identity;
    for (const ref of [
      { by: "id", id },
      { by: "id", id, bootId },
      { by: "pinPath", pinPath: at(name) },
      { by: "name", name },
      { by: "held", held: name },
    ] as const) {
      expect((await getMap(host, ref)).id).toBe(id);
    }
  });

  it("by a name that several maps share is refused with their ids", async () => {
    const name = unique();
    const ids = [1, 2, 3].map(() => makeMap("HASH", { name }).id);
    const error = await expectFailure(getMap(host, { by: "name", name }), "NAME_AMBIGUOUS");
    expect(error.metadata).toMatchObject({ ids: ids.join(",") });
    for (const id of ids) expect(error.message).toContain(`${id}`);
  });

  it("by a name that very many maps share is refused in few words", async () => {
    const name = unique();
    const ids = Array.from({ length: 500 }, () => makeMap("HASH", { name }).id);
    const error = await expectFailure(getMap(host, { by: "name", name }), "NAME_AMBIGUOUS");
    // Status messages and metadata travel as HTTP/2 trailers, which peers keep to 8 KiB.
    expect(error.message.length + JSON.stringify(error.metadata).length).toBeLessThan(2000);
    expect(error.metadata.ids?.split(",")).toEqual(ids.slice(0, 50).map(String));
    expect(error.message).toContain("500 maps");
  });

  it("of another boot is refused, whatever it names", async () => {
    const { id } = makeMap("HASH");
    const bootId = "00000000-0000-0000-0000-000000000000";
    const error = await expectFailure(getMap(host, { by: "id", id, bootId }), "BOOT_ID_MISMATCH");
    expect(error.metadata.boot_id).toBe(host.identity.bootId);
    await expectFailure(getMap(host, { by: "held", held: "x", bootId }), "BOOT_ID_MISMATCH");
  });

  it("to nothing is answered with what was not found", async () => {
    await expectFailure(getMap(host, { by: "id", id: 0x7ffffff0 }), "MAP_NOT_FOUND");
    await expectFailure(getMap(host, { by: "id", id: 0xffffffff }), "MAP_NOT_FOUND");
    await expectFailure(getMap(host, { by: "name", name: "no_such_map" }), "MAP_NOT_FOUND");
    await expectFailure(getMap(host, { by: "held", held: "nobody" }), "HOLD_NOT_FOUND");
    await expectFailure(getMap(host, { by: "pinPath", pinPath: at("nothing") }), "PIN_NOT_FOUND");
  });
});
