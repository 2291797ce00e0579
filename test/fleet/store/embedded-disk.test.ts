import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { ClassicLevel } from "classic-level";
import { expect, onTestFinished, test } from "vitest";
import {
  ALL_KEYS,
  keysUnder,
  openEmbeddedStore,
  put,
  remove,
  type Store,
  StoreError,
} from "#dist/fleet/store/index.js";
import { bytes, contents, firstEvents, follow, told } from "../store-contract/fixture.ts";
import { storeDirectory } from "../support/embedded.ts";

const MIB = 1024 * 1024;

async function open(directory: string, reserveBytes?: number): Promise<Store> {
  const store = await openEmbeddedStore({ directory, reserveBytes });
  onTestFinished(() => store.close());
  return store;
}

/** LevelDB compresses; this stays as large as it is. */
function incompressible(size: number): Uint8Array {
  return new Uint8Array(randomBytes(size));
}

/** A file system of so many bytes, for the running test. */
function smallFileSystem(size: number): string {
  const directory = join(storeDirectory(), "small");
  mkdirSync(directory);
  const mount = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", directory]);
  expect(mount.status, String(mount.stderr)).toBe(0);
  onTestFinished(() => void spawnSync("umount", ["-l", directory]));
  return directory;
}

test("goes on where it was: revisions, old ones, watches, leases and compaction", async () => {
  const directory = storeDirectory();
  const before = await openEmbeddedStore({ directory });
  const first = await before.transact({ success: [put("a", bytes("1")), put("b", bytes("1"))] });
  const second = await before.transact({ success: [put("a", bytes("2")), remove("b")] });
  const lease = await before.grantLease(3600);
  const third = await before.transact({ success: [put("l", bytes("1"), lease.id)] });
  await before.compact(first.revision);
  await before.close();

  const store = await open(directory);
  const now = await store.range({ range: ALL_KEYS });
  expect(now.revision).toBe(third.revision);
  expect(contents(now.entries)).toEqual({ a: "2", l: "1" });
  const old = await store.range({ range: ALL_KEYS, revision: first.revision });
  expect(contents(old.entries)).toEqual({ a: "1", b: "1" });
  const events = await firstEvents(store.watch({ range: ALL_KEYS, from: second.revision }), 3);
  expect(events.map(told)).toEqual([
    `put a=2 @${second.revision}`,
    `delete b @${second.revision}`,
    `put l=1 @${third.revision}`,
  ]);
  const early = firstEvents(store.watch({ range: ALL_KEYS, from: first.revision }), 1);
  await expect(early).rejects.toMatchObject({ code: "COMPACTED" });
  expect(await store.getLease(lease.id)).toMatchObject({ seconds: 3600, keys: ["l"] });
  await store.revokeLease(lease.id);
  expect(contents((await store.range({ range: ALL_KEYS })).entries)).toEqual({ a: "2" });
});

test("keeps the revision where compaction left nothing of the last one", async () => {
  const directory = storeDirectory();
  const before = await openEmbeddedStore({ directory });
  await before.transact({ success: [put("a", bytes("1"))] });
  const { revision } = await before.transact({ success: [remove("a")] });
  await before.compact(revision);
  await before.close();
  const store = await open(directory);
  expect(await store.range({ range: ALL_KEYS })).toMatchObject({ revision, count: 0 });
  const next = await store.transact({ success: [put("a", bytes("2"))] });
  expect(next.revision).toBe(revision + 1n);
});

test("a lease whose time ran out while the store was closed has it again", async () => {
  const directory = storeDirectory();
  const before = await openEmbeddedStore({ directory });
  const lease = await before.grantLease(1);
  const { revision } = await before.transact({ success: [put("l", bytes("1"), lease.id)] });
  await before.close();
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const store = await open(directory);
  expect(contents((await store.range({ range: ALL_KEYS })).entries)).toEqual({ l: "1" });
  const events = await firstEvents(store.watch({ range: ALL_KEYS, from: revision + 1n }), 1);
  expect(events.map(told)).toEqual([`delete l @${revision + 1n}`]);
});

test("compaction leaves nothing on the disk of what nobody can read", async () => {
  const directory = storeDirectory();
  const store = await openEmbeddedStore({ directory });
  const lease = await store.grantLease(60);
  await store.transact({ success: [put("a", bytes("1")), put("b", bytes("1"), lease.id)] });
  const kept = await store.transact({ success: [put("a", bytes("2"))] });
  const { revision } = await store.revokeLease(lease.id);
  await store.compact(revision);
  await store.close();
  const database = new ClassicLevel(directory);
  const keys = await database.keys().all();
  await database.close();
  const at = kept.revision.toString(16).padStart(16, "0");
  expect(keys).toEqual(["format", "state", `step/${at}`, `value/${at}/0000`]);
});

test("one process at a time has it", async () => {
  const directory = storeDirectory();
  const writer = spawn(
    process.execPath,
    [resolve(import.meta.dirname, "../support/write-until-killed.mjs"), directory],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const exit = once(writer, "exit");
  try {
    const lines = createInterface({ input: writer.stdout });
    await once(lines, "line");
    await expect(openEmbeddedStore({ directory })).rejects.toMatchObject({
      code: "LOCKED",
      message: expect.stringContaining(directory),
    });
  } finally {
    writer.kill("SIGKILL");
    await exit;
  }
  const store = await open(directory);
  await expect(openEmbeddedStore({ directory })).rejects.toMatchObject({ code: "LOCKED" });
  await store.transact({ success: [put("a", bytes("1"))] });
});

test("answers when the write is on the disk, and not before", async () => {
  const directory = storeDirectory();
  const trace = join(storeDirectory(), "trace");
  const script = `
    import { writeSync } from "node:fs";
    import { openEmbeddedStore, put } from "#dist/fleet/store/index.js";
    const store = await openEmbeddedStore({ directory: process.argv[1] });
    for (let count = 0; count < 20; count++) {
      await store.transact({ success: [put("key", new Uint8Array(Buffer.from("value-" + count)))] });
      writeSync(1, "acknowledged " + count + "\\n");
    }
    await store.close();`;
  const command = [
    ...["-f", "-e", "trace=write,fdatasync,fsync", "-s", "4096", "-o", trace],
    ...[process.execPath, "--input-type=module", "-e", script, directory],
  ];
  const { status, stderr } = spawnSync("strace", command, { encoding: "utf8" });
  expect(status, stderr).toBe(0);
  const calls = readFileSync(trace, "utf8").split("\n");
  for (let count = 0; count < 20; count++) {
    const written = calls.findIndex((call) => call.includes(`value-${count}`));
    const said = calls.findIndex((call) => call.includes(`acknowledged ${count}\\n`));
    const synced = calls.findIndex(
      (call, index) => index > written && /f(data)?sync.*= 0$/.test(call),
    );
    expect(written).toBeGreaterThanOrEqual(0);
    expect(synced).toBeGreaterThan(written);
    expect(said).toBeGreaterThan(synced);
  }
});

test("refuses writes before the disk is full; reads, deletes and compaction go on, and make room", async () => {
  const directory = smallFileSystem(24 * MIB);
  const store = await open(directory, 12 * MIB);
  const value = incompressible(MIB / 2);
  const keys: string[] = [];
  const fill = async () => {
    for (;;) {
      const key = `k/${keys.length}`;
      await store.transact({ success: [put(key, value)] });
      keys.push(key);
    }
  };
  const before = await fill().catch((error) => error);
  expect(before).toMatchObject({ code: "NO_SPACE", maybeApplied: false });
  expect(before.message).toMatch(/bytes free/);
  const { count, revision } = await store.range({ range: keysUnder("k/"), keysOnly: true });
  expect(count).toBe(keys.length);
  expect((await store.get(keys[0]!)).revision).toBe(revision);
  await store.transact({ success: keys.map((key) => remove(key)) });
  const { revision: removed } = await store.get("none");
  await store.compact(removed);
  // What compaction frees comes back in the background.
  await expect
    .poll(
      () =>
        store.transact({ success: [put("k/again", bytes("1"))] }).then(
          () => true,
          () => false,
        ),
      {
        timeout: 20_000,
      },
    )
    .toBe(true);
});

// LevelDB meets the end elsewhere each time: in its log, in a table, when it is opened.
test.each([10, 11])(
  "a disk that is full halfway is told, leaves nothing half done, and is got over (%i MiB)",
  async (ballastMib) => {
    const directory = smallFileSystem(16 * MIB);
    const store = await open(directory, 0);
    const ballast = join(directory, "ballast");
    await store.transact({ success: [put("before", bytes("1"))] });
    const value = incompressible(MIB / 4);
    let written = 0;
    let failure: unknown;
    writeFileSync(ballast, new Uint8Array(ballastMib * MIB));
    while (failure === undefined) {
      await store
        .transact({ success: [put(`k/${written}/left`, value), put(`k/${written}/right`, value)] })
        .then(() => written++)
        .catch((error) => {
          failure = error;
        });
    }
    expect(failure).toBeInstanceOf(StoreError);
    expect(failure).toMatchObject({ code: "NO_SPACE" });
    // As long as it is full, every answer is either right or says why there is none.
    const while_full = await store.get("before").catch((error) => error);
    if (while_full instanceof StoreError) expect(while_full).toMatchObject({ code: "NO_SPACE" });
    rmSync(ballast);
    const after = await store.range({ range: keysUnder("k/"), keysOnly: true });
    // The one that failed is there whole, or not at all.
    expect([2 * written, 2 * written + 2]).toContain(after.count);
    await store.transact({ success: [put("after", bytes("1"))] });
    await store.close();
    const again = await open(directory, 0);
    const all = await again.range({ range: ALL_KEYS, keysOnly: true });
    expect(all.count).toBe(after.count + 2);
    expect((await again.get("k/0/right")).entry?.value).toEqual(value);
  },
);

test("many writers on a disk that fills are each told the truth", async () => {
  const directory = smallFileSystem(16 * MIB);
  const store = await open(directory, 0);
  const ballast = join(directory, "ballast");
  writeFileSync(ballast, new Uint8Array(8 * MIB));
  const value = incompressible(MIB / 8);
  const { events, ended } = follow(store.watch({ range: ALL_KEYS, from: 1n }));
  const writes = await Promise.allSettled(
    Array.from({ length: 100 }, (_, index) =>
      store.transact({ success: [put(`k/${index}`, value)] }),
    ),
  );
  rmSync(ballast);
  const { entries } = await store.range({ range: keysUnder("k/"), keysOnly: true });
  const there = new Set(entries.map(({ key }) => key));
  const wrong = writes.flatMap((write, index) => {
    const isThere = there.has(`k/${index}`);
    if (write.status === "fulfilled")
      return isThere ? [] : [`k/${index} was acknowledged and is gone`];
    if (write.reason.maybeApplied) return [];
    return isThere ? [`k/${index} was refused and is there`] : [];
  });
  expect(wrong).toEqual([]);
  expect(writes.some(({ status }) => status === "rejected")).toBe(true);
  await expect.poll(() => events.length).toBe(entries.length);
  await store.close();
  expect(await ended).toMatchObject({ code: "CLOSED" });
});

test("many writers at once do not get into the reserve", async () => {
  const store = await open(smallFileSystem(24 * MIB), 12 * MIB);
  const value = incompressible(MIB / 4);
  const writes = await Promise.allSettled(
    Array.from({ length: 100 }, (_, index) =>
      store.transact({ success: [put(`k/${index}`, value)] }),
    ),
  );
  const { count } = await store.range({ range: ALL_KEYS, keysOnly: true });
  expect(count).toBe(writes.filter(({ status }) => status === "fulfilled").length);
  expect(count).toBeGreaterThan(0);
  const refusals = writes.flatMap((write) => (write.status === "rejected" ? [write.reason] : []));
  expect(refusals.length).toBeGreaterThan(0);
  for (const refusal of refusals) {
    expect(refusal).toMatchObject({ code: "NO_SPACE", maybeApplied: false });
    expect(refusal.message).toContain("kept in reserve");
  }
});

test("makes its directory with those above, for nobody else", async () => {
  const directory = join(storeDirectory(), "one/two");
  await open(directory);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(statSync(join(directory, "..")).mode & 0o777).toBe(0o700);
});

test("does not touch a database of something else, nor one of another version", async () => {
  const other = storeDirectory();
  const database = new ClassicLevel(other);
  await database.put("some", "thing");
  await database.close();
  await expect(openEmbeddedStore({ directory: other })).rejects.toMatchObject({ code: "DAMAGED" });

  const newer = storeDirectory();
  await (await openEmbeddedStore({ directory: newer })).close();
  const raised = new ClassicLevel(newer);
  await raised.put("format", "2");
  await raised.close();
  await expect(openEmbeddedStore({ directory: newer })).rejects.toMatchObject({
    code: "DAMAGED",
    message: expect.stringContaining("format 2"),
  });
});

test("says DAMAGED where its files are broken, and does not begin anew", async () => {
  const directory = storeDirectory();
  await (await openEmbeddedStore({ directory })).close();
  writeFileSync(join(directory, "CURRENT"), "nothing");
  await expect(openEmbeddedStore({ directory })).rejects.toMatchObject({ code: "DAMAGED" });
});

test("says DAMAGED where a write in the middle of its log has rotted, which LevelDB skips", async () => {
  const directory = storeDirectory();
  const before = await openEmbeddedStore({ directory });
  for (let count = 0; count < 10; count++) {
    await before.transact({ success: [put("a", incompressible(50_000))] });
  }
  await before.close();
  const log = join(directory, readdirSync(directory).find((name) => name.endsWith(".log"))!);
  const contents = readFileSync(log);
  contents[Math.floor(contents.length / 2)]! ^= 1;
  writeFileSync(log, contents);
  const refused = { code: "DAMAGED", message: expect.stringContaining("lacks revision") };
  await expect(openEmbeddedStore({ directory })).rejects.toMatchObject(refused);
  await expect(openEmbeddedStore({ directory })).rejects.toMatchObject(refused);
});

test("refuses a directory that cannot be made, saying why", async () => {
  const file = join(storeDirectory(), "file");
  writeFileSync(file, "");
  const refused = openEmbeddedStore({ directory: join(file, "store") });
  await expect(refused).rejects.toMatchObject({ code: "UNAVAILABLE" });
});
