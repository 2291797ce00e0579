import { spawn } from "node:child_process";
import { once } from "node:events";
import { fstatSync, mkdirSync, openSync, readdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  closeFd,
  KernelError,
  mapCreate,
  mapGetFdById,
  mapInfo,
  objPin,
} from "#dist/kernel/index.js";
import {
  dumpMap,
  getMap,
  holdMap,
  keepAlive,
  lookupElements,
  type MapHost,
  releaseMap,
} from "#dist/maps/index.js";
import { range, u32 } from "./support/elements.js";
import { openHost, run, type TestBpffs, testBpffs, testHost } from "./support/host.js";
import { creationOf, Hand, makeMap, type Shape } from "./support/kernel-map.js";
import { eventually, expectFailure } from "./support/outcome.js";

/** A map with no reference but the hold that it gets. */
async function heldMap(host: MapHost, name: string, leaseMs?: number, shape: Shape = {}) {
  const fd = mapCreate(creationOf("HASH", shape));
  const { id } = mapInfo(fd);
  await holdMap(host, { by: "id", id }, { name, leaseMs });
  closeFd(fd);
  return id;
}

/** Whether the kernel has a map. */
function isAlive(id: number): boolean {
  try {
    closeFd(mapGetFdById(id));
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENOENT") return false;
    throw error;
  }
}

const countFds = () => readdirSync("/proc/self/fd").length;

const filesOf = ({ root }: TestBpffs) => readdirSync(join(root, "bpfmapd")).sort();

/** Holds a map in another process, and kills that process. */
async function crashHolding({ root }: TestBpffs, name: string, leaseMs?: number): Promise<number> {
  const script = join(import.meta.dirname, "support/holding-host.mjs");
  const more = leaseMs === undefined ? [] : [`${leaseMs}`];
  const child = spawn(process.execPath, [script, root, name, ...more], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  child.kill("SIGKILL");
  await once(child, "exit");
  return Number(line);
}

describe("a hold", () => {
  it("keeps a map alive until it is released", async () => {
    const { host, bpffs } = await testHost();
    const id = await heldMap(host, "stats");
    expect(isAlive(id)).toBe(true);
    expect(filesOf(bpffs)).toEqual(["stats"]);
    expect(await getMap(host, { by: "held", held: "stats" })).toMatchObject({
      id,
      holds: [{ name: "stats" }],
    });
    await releaseMap(host, "stats");
    await eventually(() => isAlive(id)).toBe(false);
    expect(filesOf(bpffs)).toEqual([]);
    await expectFailure(getMap(host, { by: "held", held: "stats" }), "HOLD_NOT_FOUND");
    await expectFailure(releaseMap(host, "stats"), "HOLD_NOT_FOUND");
  });

  it("has its lease in the name of its pin, and takes a new one", async () => {
    const { host, bpffs } = await testHost();
    const id = await heldMap(host, "a", 60_000);
    expect(filesOf(bpffs)).toEqual(["a@60000"]);
    const ref = { by: "id", id } as const;
    await holdMap(host, ref, { name: "a", leaseMs: 5000 });
    expect(filesOf(bpffs)).toEqual(["a@5000"]);
    const record = await holdMap(host, ref, { name: "a" });
    expect(filesOf(bpffs)).toEqual(["a"]);
    expect(record.holds).toEqual([{ name: "a", leaseMs: undefined, expiresAtMs: undefined }]);
  });

  it("of a taken name is refused for another map", async () => {
    const { host } = await testHost();
    const id = await heldMap(host, "a");
    const other = makeMap("HASH");
    const error = await expectFailure(
      holdMap(host, { by: "id", id: other.id }, { name: "a" }),
      "HOLD_EXISTS",
    );
    expect(error.metadata).toMatchObject({ hold: "a", id: `${id}` });
    expect((await getMap(host, { by: "id", id: other.id })).holds).toEqual([]);
  });

  it("is one of several on a map, which lives until the last ends", async () => {
    const { host } = await testHost();
    const id = await heldMap(host, "b");
    await holdMap(host, { by: "held", held: "b" }, { name: "a", leaseMs: 1e6 });
    const { holds } = await getMap(host, { by: "id", id });
    expect(holds.map(({ name }) => name)).toEqual(["a", "b"]);
    await releaseMap(host, "b");
    expect(isAlive(id)).toBe(true);
    expect((await getMap(host, { by: "id", id })).holds.map(({ name }) => name)).toEqual(["a"]);
    await releaseMap(host, "a");
    await eventually(() => isAlive(id)).toBe(false);
  });

  it("that ends while a dump runs lets the dump end", async () => {
    const { host } = await testHost();
    const id = await heldMap(host, "a", undefined, { maxEntries: 5000 });
    const fd = mapGetFdById(id);
    const hand = new Hand({ fd, layout: makeMap("HASH").layout });
    for (const [key, value] of range(makeMap("HASH").layout, 0, 5000)) hand.update(key, value);
    closeFd(fd);
    let sent = 0;
    const request = {
      map: { by: "held", held: "a" },
      projection: "keys",
      chunkBytes: 400,
      room: { before: 0, between: 0 },
    } as const;
    for await (const item of dumpMap(host, request, new AbortController().signal)) {
      if (item.kind === "header") await releaseMap(host, "a");
      if (item.kind === "chunk") sent += item.chunk.count;
    }
    expect(sent).toBe(5000);
    await eventually(() => isAlive(id)).toBe(false);
  });
});

describe("a lease", () => {
  it("frees the map when it runs out, and tells so", async () => {
    const expired: [string, number][] = [];
    const { host, bpffs } = await testHost({
      onLeaseExpired: (name, mapId) => expired.push([name, mapId]),
    });
    const id = await heldMap(host, "short", 50);
    await eventually(() => expired).toEqual([["short", id]]);
    await eventually(() => isAlive(id)).toBe(false);
    expect(filesOf(bpffs)).toEqual([]);
    await expectFailure(getMap(host, { by: "held", held: "short" }), "HOLD_NOT_FOUND");
  });

  it("does not end where KeepAlive comes in time", async () => {
    const { host } = await testHost();
    await heldMap(host, "a", 60_000);
    await heldMap(host, "b");
    const [first] = await keepAlive(host, ["a"]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const holds = await keepAlive(host, ["b", "a"]);
    expect(holds.map(({ name, leaseMs }) => [name, leaseMs])).toEqual([
      ["b", undefined],
      ["a", 60_000],
    ]);
    expect(holds[1]?.expiresAtMs).toBeGreaterThan(first?.expiresAtMs ?? Number.NaN);
  });

  it("is renewed by no KeepAlive that names an unknown hold", async () => {
    const { host } = await testHost();
    const id = await heldMap(host, "a", 600_000);
    const expiry = async () => (await getMap(host, { by: "id", id })).holds[0]?.expiresAtMs ?? 0;
    const before = await expiry();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const error = await expectFailure(keepAlive(host, ["a", "nobody"]), "HOLD_NOT_FOUND");
    expect(error.metadata).toMatchObject({ hold: "nobody" });
    expect(Math.abs((await expiry()) - before)).toBeLessThan(40);
  });
});

describe("a host that starts where another has crashed", () => {
  it("takes over the held maps, their elements and their leases", async () => {
    const bpffs = testBpffs();
    const plain = await crashHolding(bpffs, "plain");
    const leased = await crashHolding(bpffs, "leased", 100_000);
    const adopted: [string, number][] = [];
    const host = await openHost(bpffs, { onAdopted: (name, mapId) => adopted.push([name, mapId]) });
    onTestFinished(() => host.close());
    expect(adopted.sort()).toEqual([
      ["leased", leased],
      ["plain", plain],
    ]);
    const asked = { map: { by: "held", held: "plain" }, keys: u32(7), count: 1 } as const;
    const { elements } = await lookupElements(host, { ...asked, lock: false, onError: "stop" });
    expect(Buffer.from(elements.values).readUInt32LE()).toBe(77);
    const { holds } = await getMap(host, { by: "held", held: "leased" });
    // The lease starts again with its whole time.
    const left = (holds[0]?.expiresAtMs ?? 0) - Date.now();
    expect(holds).toMatchObject([{ name: "leased", leaseMs: 100_000 }]);
    expect(left).toBeGreaterThan(50_000);
  });

  it("ends the leases that it took over", async () => {
    const bpffs = testBpffs();
    const id = await crashHolding(bpffs, "leased", 100);
    const host = await openHost(bpffs);
    onTestFinished(() => host.close());
    await eventually(() => isAlive(id)).toBe(false);
  });

  it("leaves what is no hold of a map alone", async () => {
    const bpffs = testBpffs();
    const first = await openHost(bpffs);
    const id = await heldMap(first, "good");
    objPin(join(bpffs.root, "bpfmapd", "-no_hold"), makeMap("HASH").fd);
    mkdirSync(join(bpffs.root, "bpfmapd", "directory"));
    await first.close();
    const host = await openHost(bpffs);
    onTestFinished(() => host.close());
    expect(host.holds.mapIds()).toEqual([id]);
    expect(filesOf(bpffs)).toEqual(["-no_hold", "directory", "good"]);
    const map = { by: "id", id: makeMap("HASH").id } as const;
    await expectFailure(holdMap(host, map, { name: "directory" }), "HOLD_EXISTS");
  });

  it("takes over one of two pins of the same name, and closes all that it opened", async () => {
    const bpffs = testBpffs();
    mkdirSync(join(bpffs.root, "bpfmapd"));
    const { fd } = makeMap("HASH");
    objPin(join(bpffs.root, "bpfmapd", "a"), fd);
    objPin(join(bpffs.root, "bpfmapd", "a@60000"), makeMap("HASH").fd);
    const before = countFds();
    const host = await openHost(bpffs);
    onTestFinished(() => host.close());
    expect(host.holds.mapIds()).toHaveLength(1);
    expect(filesOf(bpffs)).toEqual(["a", "a@60000"]);
    await host.close();
    expect(countFds()).toBe(before);
  });

  it("is refused while the other still runs", async () => {
    const { bpffs } = await testHost();
    await expect(openHost(bpffs)).rejects.toThrow(/another bpfmapd keeps its held maps/);
  });
});

describe("a host that is closed", () => {
  it("twice leaves alone what others have opened in between", async () => {
    const bpffs = testBpffs();
    const host = await openHost(bpffs);
    await heldMap(host, "a");
    await host.close();
    // The lowest numbers are given out again, among them those that the host had.
    const others = Array.from({ length: 8 }, () => openSync("/dev/null", "r"));
    onTestFinished(() => {
      for (const fd of others) closeFd(fd);
    });
    await host.close();
    for (const fd of others) expect(fstatSync(fd).isCharacterDevice()).toBe(true);
  });

  it("by several at once is closed once", async () => {
    const host = await openHost(testBpffs());
    await Promise.all([host.close(), host.close()]);
  });
});

describe("a hold whose pin cannot be removed", () => {
  it("is tried again when its lease has run out, and the host lives on", async () => {
    const [failed, expired]: [string[], string[]] = [[], []];
    const { host, bpffs } = await testHost({
      onExpiryFailed: (name) => failed.push(name),
      onLeaseExpired: (name) => expired.push(name),
    });
    const id = await heldMap(host, "a", 300);
    run("mount", "-o", "remount,ro", bpffs.root);
    await eventually(() => failed.length).toBeGreaterThan(0);
    expect(isAlive(id)).toBe(true);
    run("mount", "-o", "remount,rw", bpffs.root);
    await eventually(() => expired).toEqual(["a"]);
    await eventually(() => isAlive(id)).toBe(false);
  });
});

describe("a hold whose pin somebody removed by hand", () => {
  it("can be released", async () => {
    const { host, bpffs } = await testHost();
    const id = await heldMap(host, "a");
    unlinkSync(join(bpffs.root, "bpfmapd", "a"));
    await releaseMap(host, "a");
    await eventually(() => isAlive(id)).toBe(false);
  });

  it("runs out with its lease, and the host lives on", async () => {
    const expired: string[] = [];
    const { host, bpffs } = await testHost({ onLeaseExpired: (name) => expired.push(name) });
    const id = await heldMap(host, "a", 1000);
    await heldMap(host, "b", 1001);
    unlinkSync(join(bpffs.root, "bpfmapd", "a@1000"));
    await eventually(() => expired).toEqual(["a", "b"]);
    await eventually(() => isAlive(id)).toBe(false);
  });

  it("is pinned again where it is held again", async () => {
    const { host, bpffs } = await testHost();
    const id = await heldMap(host, "a", 60_000);
    unlinkSync(join(bpffs.root, "bpfmapd", "a@60000"));
    await holdMap(host, { by: "id", id }, { name: "a", leaseMs: 70_000 });
    expect(filesOf(bpffs)).toEqual(["a@70000"]);
    unlinkSync(join(bpffs.root, "bpfmapd", "a@70000"));
    await holdMap(host, { by: "id", id }, { name: "a", leaseMs: 70_000 });
    expect(filesOf(bpffs)).toEqual(["a@70000"]);
  });
});

describe("a root that is no bpffs", () => {
  it("is refused with what to do, or mounted where that is asked for", async () => {
    const { directory } = testBpffs();
    const bpffsRoots = [join(directory, "new")];
    const holdDirectory = join(directory, "new", "holds");
    const call = openHost({ root: "", directory, remove: () => {} }, { bpffsRoots, holdDirectory });
    await expect(call).rejects.toThrow(/is not a mounted bpffs.*mount -t bpf/);
    const bpffs = { root: bpffsRoots[0] ?? "", directory, remove: () => {} };
    const host = await openHost(bpffs, { holdDirectory, mountBpffs: true });
    onTestFinished(() => void run("umount", bpffs.root));
    expect(await heldMap(host, "a")).toBeGreaterThan(0);
    await host.close();
  });
});
