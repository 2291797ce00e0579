import { expect, it } from "vitest";
import { makeProducer, makeRing, Recording, range } from "../records/support/rings.js";
import { startDaemon } from "../support/daemon.js";
import { withFault } from "./support/inject.js";

it("records come whole and in order where waiting for them is interrupted", async () => {
  const daemon = await startDaemon();
  const ring = makeRing(1 << 16);
  const producer = makeProducer(ring, 10, 64);
  const recording = await Recording.start(daemon.client, ring);
  const fault = { syscall: "epoll_wait", what: "error=EINTR", when: "1..3" } as const;
  const { outcome, hits } = await withFault(daemon.pid, fault, async () => {
    for (let round = 1; round <= 10; round++) {
      producer.run(1);
      await recording.until(round * 10);
    }
  });
  expect(outcome).toMatchObject({ status: "fulfilled" });
  expect(hits).not.toEqual([]);
  expect(recording.numbers).toEqual(range(0, 100));
  expect(recording.lost()).toBe(0);
});

it.each([
  ["thread that reads it cannot be started", "1"],
  ["memory for waiting is missing", "2"],
])("a ring is refused where the %s, and read when it is there", async (_, when) => {
  const daemon = await startDaemon();
  const ring = makeRing(1 << 16);
  const producer = makeProducer(ring, 10, 64);
  // A thread makes its event loop's epoll set first, then the one for rings.
  const fault = { syscall: "epoll_create1", what: "error=ENOMEM", when } as const;
  const { outcome, hits } = await withFault(daemon.pid, fault, async () => {
    await daemon.client.map({ id: ring.id }).records({ exclusive: true }).started;
  });
  expect(hits).toHaveLength(1);
  expect(outcome).toMatchObject({ status: "rejected", reason: { reason: "KERNEL_MEMORY" } });
  const recording = await Recording.start(daemon.client, ring);
  producer.run(1);
  await recording.until(10);
  expect(recording.numbers).toEqual(range(0, 10));
});
