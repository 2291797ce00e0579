import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { ALL_KEYS, keysUnder, openEmbeddedStore, type Store } from "#dist/fleet/store/index.js";
import { firstEvents, text } from "../store-contract/fixture.ts";
import { storeDirectory } from "../support/embedded.ts";

const WRITER = resolve(import.meta.dirname, "../support/write-until-killed.mjs");
const ROUNDS = Number(process.env.BPFMAPD_STORE_CRASHES ?? 6);

/** What a writer had acknowledged when it was killed. */
interface Acknowledged {
  readonly pairs: Map<number, { count: number; round: number }>;
  counter: number;
  revision: bigint;
  compacted: bigint;
  readonly leases: Set<string>;
  readonly revoked: Set<string>;
}

test("a store whose process is killed while it writes has all it acknowledged, and nothing halfway", async () => {
  const directory = storeDirectory();
  const acknowledged: Acknowledged = {
    pairs: new Map(),
    counter: 0,
    revision: 0n,
    compacted: 0n,
    leases: new Set(),
    revoked: new Set(),
  };
  for (let round = 0; round < ROUNDS; round++) {
    await writeUntilKilled(directory, round, acknowledged);
    const store = await openEmbeddedStore({ directory });
    try {
      await check(store, acknowledged);
    } finally {
      await store.close();
    }
  }
  expect(acknowledged.counter).toBeGreaterThan(0);
  expect(acknowledged.compacted).toBeGreaterThan(0n);
  expect(acknowledged.revoked.size).toBeGreaterThan(0);
});

/** Kills the writer after some hundreds of acknowledgements, each time at another point. */
async function writeUntilKilled(
  directory: string,
  round: number,
  all: Acknowledged,
): Promise<void> {
  const writer = startWriter([directory, String(round)]);
  const exit = once(writer, "exit");
  const limit = 150 + Math.floor(Math.random() * 250);
  let lines = 0;
  for await (const line of createInterface({ input: writer.stdout! })) {
    note(JSON.parse(line), round, all);
    if (++lines === limit) writer.kill("SIGKILL");
  }
  expect(await exit).toEqual([null, "SIGKILL"]);
}

function startWriter(args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [WRITER, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

function note(line: Record<string, string & number>, round: number, all: Acknowledged): void {
  if (line.pair !== undefined) {
    all.pairs.set(line.pair, { count: line.count!, round });
    all.revision = later(all.revision, BigInt(line.revision!));
  }
  if (line.counter !== undefined) all.counter = Math.max(all.counter, line.counter);
  if (line.compacted !== undefined) all.compacted = later(all.compacted, BigInt(line.compacted));
  if (line.lease !== undefined) all.leases.add(line.lease);
  if (line.revoked !== undefined) {
    all.leases.delete(line.revoked);
    all.revoked.add(line.revoked);
  }
}

async function check(store: Store, all: Acknowledged): Promise<void> {
  const { revision, entries } = await store.range({ range: keysUnder("pair/") });
  expect(revision).toBeGreaterThanOrEqual(all.revision);
  const values = new Map(entries.map(({ key, value }) => [key, text(value)]));
  const revisions = new Map(entries.map(({ key, modRevision }) => [key, modRevision]));
  for (const [writer, { count, round }] of all.pairs) {
    const left = values.get(`pair/${writer}/left`)!;
    // Both halves of a transaction are of the same one.
    expect(values.get(`pair/${writer}/right`)).toBe(left);
    expect(revisions.get(`pair/${writer}/right`)).toBe(revisions.get(`pair/${writer}/left`));
    // It may be one that came after the last that was acknowledged.
    const [inRound = "", , found = ""] = left.split("/");
    expect(Number(inRound)).toBe(round);
    expect(Number(found)).toBeGreaterThanOrEqual(count);
    expect(values.has(`pair/${writer}/odd`)).toBe(Number(found) % 3 !== 0);
    expect(left).toHaveLength(200 + ((Number(found) * 797) % 20_000));
  }
  const { entry } = await store.get("counter");
  expect(Number(text(entry!.value))).toBeGreaterThanOrEqual(all.counter);
  await checkHistory(store, revision, all);
  await checkLeases(store, all);
}

/** What is left of the history can be watched, without a gap, up to what can be read. */
async function checkHistory(store: Store, current: bigint, all: Acknowledged): Promise<void> {
  const early = store.watch({ range: ALL_KEYS, from: all.compacted });
  await expect(firstEvents(early, 1)).rejects.toMatchObject({ code: "COMPACTED" });
  // A compaction that was not acknowledged may be there, too, even up to now.
  await store.compact(current).catch((error) => expect(error).toMatchObject({ code: "COMPACTED" }));
  const { entries } = await store.range({ range: ALL_KEYS, revision: current });
  expect(entries.length).toBeGreaterThan(0);
}

async function checkLeases(store: Store, all: Acknowledged): Promise<void> {
  for (const lease of all.revoked) {
    await expect(store.getLease(BigInt(lease))).rejects.toMatchObject({ code: "LEASE_NOT_FOUND" });
    expect((await store.get(`leased/${lease}`)).entry).toBeUndefined();
  }
  for (const lease of all.leases) {
    // One whose revocation was under way may be gone, but then with its key.
    const status = await store.getLease(BigInt(lease)).catch((error) => error);
    const { entry } = await store.get(`leased/${lease}`);
    if (entry === undefined) expect(status).toMatchObject({ code: "LEASE_NOT_FOUND" });
    else expect(status).toMatchObject({ seconds: 3600, keys: [`leased/${lease}`] });
  }
}

function later(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}
