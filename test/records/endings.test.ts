import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@bpfmapd/client";
import { describe, expect, it } from "vitest";
import { mapInfo, pageSize } from "#dist/kernel/index.js";
import { testMap } from "../kernel/support/programs.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import {
  fdsOf,
  makeProducer,
  makeRing,
  PERF_EVENT_ARRAY,
  Recording,
  type TestRing,
  untilLeft,
} from "./support/rings.js";

const VANISHING = resolve(import.meta.dirname, "support/vanishing-reader.mjs");

function perfArray(): TestRing {
  const fd = testMap({ type: PERF_EVENT_ARRAY, keySize: 4, valueSize: 4, maxEntries: 8 });
  return { fd, id: mapInfo(fd).id };
}

/** Threads, and open files of each kind, of the daemon. */
function usage({ pid }: TestDaemon): { threads: number; files: Record<string, number> } {
  const files: Record<string, number> = {};
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const kind = linkOf(`/proc/${pid}/fd/${fd}`).replace(/\d+/g, "N");
    files[kind] = (files[kind] ?? 0) + 1;
  }
  return { threads: readdirSync(`/proc/${pid}/task`).length, files };
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "closed meanwhile";
  }
}

/** A process of its own that reads records and is killed in the midst of them. */
async function vanish(daemon: TestDaemon, ring: TestRing): Promise<void> {
  const child = spawn(process.execPath, [VANISHING, `unix:${daemon.socket}`, String(ring.id)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
}

describe("a stream of records ends", () => {
  it("without anything left in the daemon when clients vanish", async () => {
    const daemon = await startDaemon();
    const [ring, map] = [makeRing(1 << 16), perfArray()];
    const producer = makeProducer(ring, 10, 64);
    // The first ones start what stays: a thread, and the event loop's own files in it.
    for (const one of [ring, map]) await vanish(daemon, one);
    for (const one of [ring, map]) await untilLeft(daemon, one);
    const before = usage(daemon);
    for (let round = 0; round < 3; round++) {
      producer.run();
      await Promise.all([ring, ring, map].map((one) => vanish(daemon, one)));
    }
    for (const one of [ring, map]) await untilLeft(daemon, one);
    await expect.poll(() => usage(daemon), { timeout: 20_000 }).toEqual(before);
    // What it has read is gone; what comes now is for the next reader.
    const recording = await Recording.start(daemon.client, ring, { fromNow: true });
    producer.run();
    await recording.until(10);
    expect(recording.numbers).toHaveLength(10);
  }, 120_000);

  it("for one subscriber, and goes on for the other", async () => {
    const daemon = await startDaemon();
    const ring = makeRing(1 << 16);
    const producer = makeProducer(ring, 10, 64);
    const staying = await Recording.start(daemon.client, ring);
    for (let round = 0; round < 4; round++) {
      await vanish(daemon, ring);
      producer.run();
      await staying.until(10 * (round + 1));
    }
    expect(staying.sequences).toHaveLength(40);
    expect(staying.lost()).toBe(0);
  });

  it("and the ring is free for the next at once, with no record twice and none missed", async () => {
    const daemon = await startDaemon();
    const ring = makeRing(1 << 16);
    const producer = makeProducer(ring, 10, 64);
    for (let round = 0; round < 20; round++) {
      const recording = await Recording.start(daemon.client, ring, { fromNow: true });
      producer.run();
      await recording.until(10);
      expect(recording.numbers[0]).toBe(round * 10);
      expect(recording.numbers).toHaveLength(10);
      // Not waited for: the next one comes while the daemon still ends this one.
      void recording.stop();
    }
  });

  it("with DAEMON_STOPPING when the daemon stops", async () => {
    const daemon = await startDaemon();
    const ring = makeRing(pageSize());
    const recordings = [
      await Recording.start(daemon.client, ring),
      await Recording.start(daemon.client, ring),
      await Recording.start(daemon.client, perfArray()),
    ];
    recordings[1]?.pause();
    const exit = daemon.stop();
    for (const recording of recordings) {
      recording.resume();
      const error = await recording.failure();
      expect(error.code).toBe(status.UNAVAILABLE);
      expect(error.reason).toBe("DAEMON_STOPPING");
    }
    expect(await exit).toBe(0);
  });

  it("when the client cancels, before and after the first record", async () => {
    const daemon = await startDaemon();
    const ring = makeRing(pageSize());
    const producer = makeProducer(ring, 1, 16);
    for (let round = 0; round < 10; round++) {
      const abort = new AbortController();
      const stream = daemon.client
        .map({ id: ring.id })
        .records({ exclusive: true, signal: abort.signal });
      const started = stream.started.catch(() => {});
      if (round % 2 === 0) await started;
      else await sleep(round);
      producer.run();
      abort.abort();
      await started;
      const reading = (async () => {
        for await (const _ of stream.batches());
      })();
      await expect(reading).rejects.toMatchObject({ code: status.CANCELLED });
    }
    await untilLeft(daemon, ring);
    expect(fdsOf(daemon, ring)).toEqual([]);
  });
});
