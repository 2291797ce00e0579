import { setImmediate as turn } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { ProgramType, pageSize } from "#dist/kernel/index.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { makeProducer, makeRing, Recording, range, untilLeft } from "./support/rings.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

describe("the records of a ring buffer", () => {
  it.each([
    ["a socket filter", ProgramType.SOCKET_FILTER],
    ["an XDP program", ProgramType.XDP],
  ])("come whole and in order from %s", async (_, type) => {
    const ring = makeRing(1 << 16);
    const producer = makeProducer(ring, 10, 64, type);
    const recording = await Recording.start(daemon.client, ring);
    producer.run(10);
    await recording.until(100);
    expect(recording.numbers).toEqual(range(0, 100));
    expect(recording.sequences).toEqual(range(0, 100).map(BigInt));
    expect(recording.lost()).toBe(0);
    for (const [number, record] of recording.records.entries()) {
      const expected = Buffer.alloc(64);
      for (let at = 8; at < 64; at += 8) expected.writeUInt32LE(at, at);
      expected.writeUInt32LE(number);
      expect(record).toEqual(expected);
    }
    expect(recording.cpus.every((cpu) => cpu === undefined)).toBe(true);
    expect(recording.times.every((time) => time === undefined)).toBe(true);
  });

  it("are a million of 64 bytes, and a subscriber that keeps up loses none", async () => {
    const ring = makeRing(1 << 22);
    const producer = makeProducer(ring, 1000, 64);
    const total = 1_000_000;
    // So many fit into the ring, and into what the daemon keeps for a subscriber by default:
    // a reader that is no further behind keeps up.
    const ahead = 50_000;
    const stream = daemon.client.map({ id: ring.id }).records({ exclusive: true });
    await stream.started;
    let [received, inOrder, whole] = [0, true, true];
    const reading = (async () => {
      for await (const event of stream.batches()) {
        if (event.type === "lost") throw new Error(`${event.count} records are lost`);
        const { sizes, data, firstSequence } = event.records;
        const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
        inOrder &&= firstSequence === BigInt(received);
        for (let index = 0; index < sizes.length; index++) {
          inOrder &&= view.getUint32(index * 64, true) === received + index;
          whole &&= sizes[index] === 64 && view.getUint32(index * 64 + 56, true) === 56;
        }
        received += sizes.length;
        if (received === total) return;
      }
    })();
    let isOver = false;
    reading.catch(() => {
      isOver = true;
    });
    const producing = (async () => {
      for (let written = 0; written < total; written += 1000) {
        do await turn();
        while (written + 1000 - received > ahead && !isOver);
        producer.run();
      }
    })();
    await Promise.all([reading, producing]);
    expect(producer.counts()).toEqual({ written: total, refused: 0 });
    expect({ received, inOrder, whole }).toEqual({ received: total, inOrder: true, whole: true });
  });

  it("are the same for every subscriber", async () => {
    const ring = makeRing(1 << 18);
    const producer = makeProducer(ring, 100, 32);
    const first = await Recording.start(daemon.client, ring);
    const second = await Recording.start(daemon.client, ring);
    for (let run = 0; run < 100; run++) {
      producer.run();
      if (run % 10 === 0) await turn();
    }
    const { written } = producer.counts();
    await Promise.all([first.until(written), second.until(written)]);
    expect(first.numbers).toEqual(second.numbers);
    expect(first.sequences).toEqual(second.sequences);
    expect(first.records).toEqual(second.records);
    expect(first.lost() + second.lost()).toBe(0);
  });

  it("begin with what the ring held, unless a subscriber asks for what is new", async () => {
    const ring = makeRing(1 << 16);
    const producer = makeProducer(ring, 5, 16);
    producer.run();
    const buffered = await Recording.start(daemon.client, ring);
    await buffered.until(5);
    await buffered.stop();
    await untilLeft(daemon, ring);
    producer.run();
    const fromNow = await Recording.start(daemon.client, ring, { fromNow: true });
    producer.run();
    await fromNow.until(5);
    expect(buffered.numbers).toEqual(range(0, 5));
    expect(fromNow.numbers).toEqual(range(10, 15));
    expect(fromNow.sequences[0]).toBe(0n);
  });

  it("give a later subscriber what is written after it joined, and no record before", async () => {
    const ring = makeRing(1 << 16);
    const producer = makeProducer(ring, 5, 16);
    const first = await Recording.start(daemon.client, ring);
    for (let round = 0; round < 20; round++) {
      // Written right before: it may be on its way while the other one joins.
      producer.run();
      const later = await Recording.start(daemon.client, ring, { fromNow: true });
      producer.run();
      await later.until(5);
      expect(later.numbers).toEqual(range(round * 10 + 5, round * 10 + 10));
      expect(later.sequences[0]).toBe(BigInt(round * 10 + 5));
      await later.stop();
    }
    await first.until(200);
    expect(first.numbers).toEqual(range(0, 200));
  });

  it("outlive the ring's other references while they are read", async () => {
    const ring = makeRing(pageSize());
    const producer = makeProducer(ring, 1, 16);
    const recording = await Recording.start(daemon.client, ring);
    producer.run();
    await recording.until(1);
    const { map } = await daemon.client.maps.getMap({
      map: { ref: { case: "id", value: ring.id } },
    });
    expect(map?.id).toBe(ring.id);
  });
});
