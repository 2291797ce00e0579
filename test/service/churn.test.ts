import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { IncompleteReason } from "@bpfmapd/client/proto";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { hex, prefix } from "./support/elements.js";
import {
  makeMap,
  PLAIN_TYPES,
  type PlainMap,
  sampleKey,
  sampleValue,
  shapeOf,
} from "./support/plain-map.js";

const SCRIPT = resolve(import.meta.dirname, "support/churn-process.mjs");
const STILL = 5000;
const MOVING = 1000;
const TYPES = ["HASH", "LRU_HASH", "PERCPU_HASH", "LPM_TRIE", "ARRAY"] as const;

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
});
afterAll(() => daemon?.dispose());

/** A map of elements that stand still, and the keys between them that another process changes. */
async function stage(type: (typeof TYPES)[number]) {
  const all = STILL + MOVING;
  // An LRU map evicts long before it is full.
  const maxEntries = type === "LRU_HASH" ? 10 * all : all;
  const map = await makeMap(daemon, shapeOf(type, { maxEntries }));
  const isMoving = (index: number) => index % 6 === 5;
  const still = new Map<string, string>();
  const elements: [Buffer, Buffer][] = [];
  const moving: Buffer[] = [];
  for (let index = 0; index < all; index++) {
    const key = sampleKey(map.shape, index);
    if (isMoving(index)) {
      // In a trie also prefixes that cover what stands still, so that inner nodes come and go.
      moving.push(type === "LPM_TRIE" ? prefix(32 - (index % 8), [...key.subarray(4)]) : key);
      continue;
    }
    const value = sampleValue(map, index);
    still.set(hex(key), hex(value));
    elements.push([key, value]);
  }
  await map.handle.load(elements);
  return { map, still, moving: moving.filter((key) => !still.has(hex(key))) };
}

/** Another process that inserts, updates and deletes until the test is over. */
async function startChurn(map: PlainMap, moving: readonly Buffer[]): Promise<void> {
  const { keySize, valueStride } = map.info;
  const deletes = PLAIN_TYPES[map.shape.type].keyed !== "index";
  const args = JSON.stringify({ id: map.id, keySize, valueStride, keys: moving.map(hex), deletes });
  const child = spawn(process.execPath, [SCRIPT, args], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  });
  await once(child.stdout, "data");
}

/** Dumps once and checks all that the contract promises. Answers whether it was complete. */
async function checkedDump(map: PlainMap, still: ReadonlyMap<string, string>, pauseMs = 0) {
  const dump = map.handle.dump({ chunkBytes: pauseMs > 0 ? 8192 : 65_536 });
  const seen = new Map<string, string>();
  let count = 0;
  const { keySize, valueStride } = map.info;
  for await (const chunk of dump.chunks()) {
    for (let at = 0; at < chunk.count; at++) {
      const key = hex(chunk.keys.subarray(at * keySize, (at + 1) * keySize));
      seen.set(key, hex(chunk.values.subarray(at * valueStride, (at + 1) * valueStride)));
      count++;
    }
    if (pauseMs > 0) await sleep(pauseMs);
  }
  const summary = await dump.summary;
  expect(seen.size, "an element came twice").toBe(count);
  expect(summary.sent).toBe(BigInt(count));
  const missing = [...still.keys()].filter((key) => !seen.has(key));
  if (summary.complete) expect(missing).toEqual([]);
  const { UNSPECIFIED, RESTARTS } = IncompleteReason;
  expect(summary.incompleteReason).toBe(summary.complete ? UNSPECIFIED : RESTARTS);
  for (const [key, value] of still) if (seen.has(key)) expect(seen.get(key)).toBe(value);
  return summary.complete;
}

describe.each(TYPES)("a dump of a %s that another process changes", (type) => {
  it("has what stands still exactly once, and tells whether it is complete", async () => {
    const { map, still, moving } = await stage(type);
    await startChurn(map, moving);
    const complete: boolean[] = [];
    for (let round = 0; round < 25; round++) complete.push(await checkedDump(map, still));
    expect(complete).toContain(true);
  });

  it("does so for a slow reader too, and beside other dumps", async () => {
    const { map, still, moving } = await stage(type);
    await startChurn(map, moving);
    const dumps = Array.from({ length: 4 }, (_, reader) => checkedDump(map, still, 2 + reader));
    await Promise.all(dumps);
  });

  it("counts at least what stands still, and at most what there ever is", async () => {
    const { map, still, moving } = await stage(type);
    await startChurn(map, moving);
    for (let round = 0; round < 10; round++) {
      const { count, complete } = await map.handle.count();
      if (!complete) continue;
      expect(count).toBeGreaterThanOrEqual(BigInt(still.size));
      expect(count).toBeLessThanOrEqual(BigInt(map.info.maxEntries));
    }
  });
});
