import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { Collector, MapSets } from "#dist/fleet/sets/index.js";
import { openEmbeddedStore, openEtcdStore, type Store } from "#dist/fleet/store/index.js";
import { elementsOf, LONG, numbers, patchOf, readSet, SPEC } from "../sets-contract/fixture.ts";
import { storeDirectory } from "../support/embedded.ts";
import { startEtcd } from "../support/etcd.ts";
import { FakeClock } from "../support/fake-clock.ts";

const WRITER = resolve(import.meta.dirname, "../support/write-sets-until-killed.mjs");
const ROUNDS = Number(process.env.BPFMAPD_STORE_CRASHES ?? 5);

interface Acknowledged {
  put: number;
  patched: number;
  collected: number;
}

/** Kills the writer after some acknowledgements, each time at another point. */
async function writeUntilKilled(directory: string, round: number, all: Acknowledged) {
  const writer = spawn(process.execPath, [WRITER, directory, String(round)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void writer.kill("SIGKILL"));
  const exit = once(writer, "exit");
  const limit = 30 + Math.floor(Math.random() * 60);
  let lines = 0;
  for await (const text of createInterface({ input: writer.stdout })) {
    const line = JSON.parse(text);
    all.put = line.put ?? all.put;
    all.patched = line.patched ?? all.patched;
    all.collected += line.collected ?? 0;
    if (++lines === limit) writer.kill("SIGKILL");
  }
  expect(await exit).toEqual([null, "SIGKILL"]);
}

/** What is there is the last that was acknowledged, or one that came after; never a mixture. */
async function check(store: Store, round: number, { put, patched }: Acknowledged) {
  const sets = new MapSets(store, { cacheBytes: 0 });
  const contents = await readSet(sets, "put");
  const [value = 0] = contents.values();
  expect(value).toBeGreaterThanOrEqual(put);
  expect(Math.floor(value / 100_000)).toBe(round);
  expect(contents).toEqual(new Map(numbers(0, 50 + (value % 100), () => value)));
  const patches = await readSet(sets, "patched");
  expect(patches.size).toBe(8);
  expect(new Set(patches.values()).size).toBe(1);
  expect(patches.get(0)).toBeGreaterThanOrEqual(patched);
  for (const name of ["put", "patched"]) {
    const { manifest } = await sets.get(name);
    const earlier = Math.max(1, manifest.generation - 8);
    expect((await readSet(sets, name, earlier)).size).toBeGreaterThan(0);
  }
}

test("sets whose writer and collector are killed have what was acknowledged, whole", async () => {
  const directory = storeDirectory();
  const all: Acknowledged = { put: 0, patched: 0, collected: 0 };
  for (let round = 1; round <= ROUNDS; round++) {
    await writeUntilKilled(directory, round, all);
    const store = await openEmbeddedStore({ directory });
    try {
      await check(store, round, all);
    } finally {
      await store.close();
    }
  }
  expect(all.patched).toBeGreaterThan(0);
  expect(all.collected).toBeGreaterThan(0);
  await nothingLeft(directory);
}, 120_000);

/** What the killed have left behind is collected like everything else. */
async function nothingLeft(directory: string): Promise<void> {
  const store = await openEmbeddedStore({ directory });
  const sets = new MapSets(store);
  for (const name of ["put", "patched"]) await sets.delete(name);
  const clock = new FakeClock();
  const collector = new Collector(store, { graceMs: 1, clock });
  await collector.run();
  clock.pass(1);
  await collector.run();
  const range = { from: "sets/segment/", to: "sets/segment0" };
  expect(await store.range({ range, keysOnly: true })).toMatchObject({ count: 0 });
  await store.close();
}

test("an etcd that is killed in the middle of puts and patches loses none that was acknowledged", async () => {
  const etcd = await startEtcd();
  onTestFinished(() => etcd.dispose());
  const stores = [0, 1, 2].map(() =>
    openEtcdStore({ endpoints: [etcd.endpoint], prefix: "/s/", deadlineMs: 10_000 }),
  );
  onTestFinished(() => Promise.all(stores.map((store) => store.close())).then(() => {}));
  await new MapSets(stores[0]!).put("patched", SPEC, []);
  let isOver = false;
  let last = 0;
  const acknowledged = new Map<number, number>();
  const unknown = new Map<number, number>();
  const patchers = stores.map(async (store, writer) => {
    const sets = new MapSets(store);
    for (let count = 0; !isOver; count++) {
      const key = writer * 1000 + (count % 50);
      const value = count + 1;
      await sets.patch("patched", patchOf([[key, value]])).then(
        () => {
          acknowledged.set(key, value);
          unknown.delete(key);
        },
        () => unknown.set(key, value),
      );
    }
  });
  const putter = (async () => {
    const sets = new MapSets(stores[0]!);
    for (let count = 1; !isOver; count++) {
      const elements = elementsOf(
        numbers(0, 500, () => count),
        LONG,
      );
      await sets.put("put", LONG, [elements]).then(
        () => {
          last = count;
        },
        () => {},
      );
    }
  })();
  for (let round = 0; round < 3; round++) {
    const before = last;
    await expect.poll(() => last, { timeout: 20_000 }).toBeGreaterThan(before);
    await etcd.kill();
    await etcd.start();
  }
  isOver = true;
  await Promise.all([...patchers, putter]);
  const sets = new MapSets(stores[0]!, { cacheBytes: 0 });
  const patched = await readSet(sets, "patched");
  for (const [key, value] of acknowledged) {
    expect([value, unknown.get(key)]).toContain(patched.get(key));
  }
  expect(acknowledged.size).toBeGreaterThan(0);
  const put = await readSet(sets, "put");
  expect(put.size).toBe(500);
  expect(new Set(put.values()).size).toBe(1);
  expect(put.get(0)).toBeGreaterThanOrEqual(last);
}, 120_000);
