import { readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { makeProducer, makeRing, type Producer, Recording, range } from "./support/rings.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

/** Writes without overtaking a reader by more than `ahead` records, so that no ring is full. */
async function produce(producer: Producer, reader: Recording, total: number, ahead: number) {
  const before = producer.counts().written;
  for (let written = 0; written < total; ) {
    await turn();
    if (before + written - reader.sequences.length > ahead) continue;
    producer.run();
    written = producer.counts().written - before;
  }
  expect(producer.counts().refused).toBe(0);
  await reader.until(before + total);
}

/** Checks that losses stand where records are missing, and are as many. */
function expectExact({ sequences, numbers, losses }: Recording): void {
  const lostBefore = new Map<number, number>();
  for (const { at, count } of losses) lostBefore.set(at, (lostBefore.get(at) ?? 0) + count);
  let next = 0;
  const wrong = numbers.filter((number, index) => {
    next += lostBefore.get(index) ?? 0;
    return number !== next || sequences[index] !== BigInt(next++);
  });
  expect(wrong).toEqual([]);
}

describe("a subscriber that reads too slowly", () => {
  it("loses only its own records, and is told exactly how many and where", async () => {
    const ring = makeRing(1 << 23);
    const producer = makeProducer(ring, 1000, 480);
    const slow = await Recording.start(daemon.client, ring, { queueBytes: 65_536 });
    const fast = await Recording.start(daemon.client, ring);
    slow.pause();
    await produce(producer, fast, 40_000, 10_000);
    slow.resume();
    await slow.until(40_000);
    expect(fast.lost()).toBe(0);
    expect(fast.numbers).toEqual(range(0, 40_000));
    expect(slow.lost()).toBe(slow.lost("SLOW_READER"));
    expect(slow.lost()).toBeGreaterThan(10_000);
    expect(slow.numbers.length + slow.lost()).toBe(40_000);
    expectExact(slow);
    // It goes on as if nothing had been.
    await produce(producer, fast, 1000, 10_000);
    await slow.until(41_000);
    expect(slow.numbers.slice(-1000)).toEqual(range(40_000, 41_000));
    expectExact(slow);
  });

  it("is told of each stretch that it missed", async () => {
    const ring = makeRing(1 << 23);
    const producer = makeProducer(ring, 1000, 480);
    const slow = await Recording.start(daemon.client, ring, { queueBytes: 65_536 });
    const fast = await Recording.start(daemon.client, ring);
    for (let round = 1; round <= 3; round++) {
      slow.pause();
      await produce(producer, fast, 40_000, 10_000);
      slow.resume();
      await slow.until(round * 40_000);
    }
    expect(slow.losses.length).toBeGreaterThanOrEqual(3);
    expectExact(slow);
  });

  it("costs the daemon no more memory than it asked for", async () => {
    const ring = makeRing(1 << 23);
    const producer = makeProducer(ring, 1000, 480);
    const slow = await Recording.start(daemon.client, ring, { queueBytes: 1 << 20 });
    const fast = daemon.client.map({ id: ring.id }).records({ exclusive: true });
    await fast.started;
    slow.pause();
    let seen = 0;
    const reading = (async () => {
      for await (const event of fast.batches()) {
        if (event.type === "lost") throw new Error(`${event.count} records are lost`);
        seen += event.records.sizes.length;
        if (seen === 600_000) return;
      }
    })();
    const before = residentMiB(daemon);
    let most = before;
    for (let run = 0; run < 600; run++) {
      do await Promise.race([turn(), reading]);
      while ((run + 1) * 1000 - seen > 15_000);
      producer.run();
      if (run % 50 === 0) most = Math.max(most, residentMiB(daemon));
    }
    await reading;
    expect(producer.counts()).toEqual({ written: 600_000, refused: 0 });
    // 274 MiB went through. The rest is V8's: what it has not collected yet.
    expect(most - before).toBeLessThan(110);
    slow.resume();
    await slow.until(600_000);
    expect(slow.numbers.length + slow.lost("SLOW_READER")).toBe(600_000);
    expectExact(slow);
  }, 120_000);
});

function residentMiB({ pid }: TestDaemon): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  return (pages * 4096) / 2 ** 20;
}
