import { once } from "node:events";
import { openSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  closeFd,
  EpollWaiter,
  type FdWatch,
  programTestRun,
  RingBufferReader,
} from "#dist/kernel/index.js";
import { PACKET, testProgram } from "./support/programs.js";
import { recordWriter, testCounters, testRing } from "./support/rings.js";

interface TestRing {
  readonly fd: number;
  readonly reader: RingBufferReader;
  write(): void;
}

function ringWithWriter(): TestRing {
  const fd = testRing(1 << 16);
  const writer = testProgram(recordWriter(fd, testCounters(), 1, 8));
  const reader = RingBufferReader.open(fd);
  onTestFinished(() => reader.close());
  return { fd, reader, write: () => void programTestRun(writer, { data: PACKET }) };
}

function testWaiter(): EpollWaiter {
  const waiter = EpollWaiter.open();
  onTestFinished(() => waiter.close());
  return waiter;
}

/** Two turns of the event loop: whatever was ready has been told. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((done) => setImmediate(done));
}

describe("the waiter", () => {
  it("tells of a ready fd once for each arming", async () => {
    const ring = ringWithWriter();
    let told = 0;
    const watch = testWaiter().watch(ring.fd, "readable", () => told++);
    await settle();
    expect(told).toBe(0);
    ring.write();
    await settle();
    expect(told).toBe(1);
    ring.write();
    await settle();
    expect(told).toBe(1);
    watch.rearm();
    await settle();
    expect(told).toBe(2);
    ring.reader.read(() => {});
    watch.rearm();
    await settle();
    expect(told).toBe(2);
    ring.write();
    await settle();
    expect(told).toBe(3);
  });

  it("tells many rings apart", async () => {
    const waiter = testWaiter();
    const rings = Array.from({ length: 100 }, ringWithWriter);
    const told = new Set<number>();
    for (const ring of rings) waiter.watch(ring.fd, "readable", () => told.add(ring.fd));
    for (const [index, ring] of rings.entries()) if (index % 3 === 0) ring.write();
    await settle();
    const expected = rings.filter((_, index) => index % 3 === 0).map((ring) => ring.fd);
    expect([...told].sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b));
  });

  it("lets promises go on from a callback while nothing else happens", async () => {
    const ring = ringWithWriter();
    const ready = new Promise<void>((done) => {
      testWaiter().watch(ring.fd, "readable", done);
    });
    setImmediate(() => ring.write());
    await ready;
  });

  it("is silent about what has ended, even where it was ready already", async () => {
    const waiter = testWaiter();
    const [first, second] = [ringWithWriter(), ringWithWriter()];
    const told: string[] = [];
    const watches: FdWatch[] = [];
    const end = (name: string) => {
      told.push(name);
      for (const watch of watches) watch.end();
    };
    watches.push(waiter.watch(first.fd, "readable", () => end("first")));
    watches.push(waiter.watch(second.fd, "readable", () => end("second")));
    first.write();
    second.write();
    await settle();
    expect(told).toHaveLength(1);
    for (const watch of watches) watch.rearm();
    await settle();
    expect(told).toHaveLength(1);
  });

  it("refuses fds that cannot be waited for, and the same one twice", () => {
    const waiter = testWaiter();
    const file = openSync("/proc/self/exe", "r");
    onTestFinished(() => closeFd(file));
    expect(() => waiter.watch(file, "readable", () => {})).toThrow("epoll_ctl: EPERM");
    const ring = ringWithWriter();
    waiter.watch(ring.fd, "readable", () => {});
    expect(() => waiter.watch(ring.fd, "readable", () => {})).toThrow("epoll_ctl: EEXIST");
  });

  it("waits in a worker thread, and does not keep it from being ended", async () => {
    const ring = ringWithWriter();
    const face = new URL("../../dist/kernel/index.js", import.meta.url).href;
    const thread = new Worker(
      `const { parentPort, workerData } = require("node:worker_threads");
       import(workerData.face).then(({ EpollWaiter }) => {
         EpollWaiter.open().watch(workerData.fd, "readable", () => parentPort.postMessage("ready"));
         parentPort.postMessage("armed");
       });`,
      { eval: true, workerData: { face, fd: ring.fd } },
    );
    expect(await once(thread, "message")).toEqual(["armed"]);
    ring.write();
    expect(await once(thread, "message")).toEqual(["ready"]);
    await thread.terminate();
  });
});
