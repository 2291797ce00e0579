import { rmSync, unlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { BpfmapError, connect, status, Watch, type WatchEvent } from "@bpfmapd/client";
import { ResyncReason } from "@bpfmapd/client/proto";
import { describe, expect, it, onTestFinished } from "vitest";
import { closeFd, ElementCalls, mapGetFdById } from "#dist/kernel/index.js";
import { hex, u32, u64 } from "../service/support/elements.js";
import { makeMap, shapeOf } from "../service/support/plain-map.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { type SocketProxy, startProxy } from "../watch/support/socket-proxy.js";

const POLL = { pollIntervalMs: 20, bookmarkIntervalMs: 100 };

/** Applies what a watch yields; what a client of it would write. */
class Mirror {
  readonly contents = new Map<string, string>();
  readonly resyncs: ResyncReason[] = [];
  readonly done: Promise<void>;
  #wake: () => void = () => {};

  constructor(watch: Watch) {
    this.done = this.#run(watch);
    // Whoever awaits it hears of a failure.
    this.done.catch(() => this.#wake());
  }

  async untilHolds(condition: () => boolean): Promise<void> {
    const failed = this.done.then(() => expect.fail("the watch ended"));
    while (!condition()) {
      await Promise.race([
        failed,
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
      ]);
    }
    failed.catch(() => {});
  }

  async #run(watch: Watch): Promise<void> {
    for await (const event of watch) {
      if (event.type === "put") this.contents.set(hex(event.key), hex(event.value));
      if (event.type === "delete") this.contents.delete(hex(event.key));
      if (event.type === "resync") {
        this.contents.clear();
        this.resyncs.push(event.reason);
      }
      this.#wake();
    }
  }
}

/** A client of a daemon by way of a proxy. */
async function proxied(daemon: TestDaemon) {
  const proxy: SocketProxy = await startProxy(`${daemon.directory}/proxy.sock`, daemon.socket);
  const client = connect({
    address: `unix:${proxy.path}`,
    channelOptions: { "grpc.initial_reconnect_backoff_ms": 50 },
  });
  onTestFinished(async () => {
    client.close();
    await proxy.close();
  });
  return { proxy, client };
}

/** Writes and deletes elements by bpf(2), whether a daemon runs or not. */
function byHand(mapId: number): (key: number, value: number | undefined) => void {
  const fd = mapGetFdById(mapId)!;
  const calls = new ElementCalls(fd, 4, 8);
  onTestFinished(() => {
    calls.release();
    closeFd(fd);
  });
  return (key, value) => {
    calls.key.writeUInt32LE(key);
    if (value === undefined) {
      calls.delete(); // It may be gone.
      return;
    }
    calls.value.writeBigUInt64LE(BigInt(value));
    expect(calls.update()).toBeUndefined();
  };
}

/** A signal that is aborted when the test ends, so that no watch outlives it. */
function untilTestEnds(): AbortSignal {
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  return ending.signal;
}

describe("a watch of the client", () => {
  it("loses no change over ten restarts of the daemon", { timeout: 300_000 }, async () => {
    const daemon = await startDaemon();
    const map = await makeMap(daemon, shapeOf("HASH"));
    const mirror = new Mirror(map.handle.watch({ ...POLL, signal: untilTestEnds() }));
    const held = daemon.client.map({ held: map.hold });
    for (let restart = 0; restart < 10; restart++) {
      await held.update(u32(restart), u64(restart));
      if (restart > 2) await held.delete(u32(restart - 2));
      // Every other time the daemon ends before the watch has found it again.
      if (restart % 2 === 0) await mirror.untilHolds(() => mirror.contents.has(hex(u32(restart))));
      if (restart % 4 < 2) await daemon.kill();
      await daemon.restart();
    }
    await held.update(u32(99), u64(99));
    await mirror.untilHolds(() => mirror.contents.has(hex(u32(99))));
    await mirror.untilHolds(() => mirror.contents.size === 4);
    expect(mirror.contents).toEqual(await dumpOf(held));
    expect(mirror.resyncs.length).toBeGreaterThan(0);
  });

  it("comes to what the map holds, whoever watches what, when the daemon is killed amid writes", async () => {
    const daemon = await startDaemon();
    const map = await makeMap(daemon, shapeOf("HASH"));
    const hand = byHand(map.id);
    for (let key = 0; key < 100; key++) hand(key, 1);
    const signal = untilTestEnds();
    const all = Array.from({ length: 8 }, () => new Mirror(map.handle.watch({ ...POLL, signal })));
    const filter = { keyPrefix: Buffer.of(7) };
    const one = new Mirror(map.handle.watch({ ...POLL, signal, filter }));
    const keys = new Mirror(map.handle.watch({ ...POLL, signal, keysOnly: true }));
    const mirrors = [...all, one, keys];
    await Promise.all(mirrors.map((mirror) => mirror.untilHolds(() => mirror.contents.size > 0)));

    let isWriting = true;
    const writing = (async () => {
      for (let value = 2; isWriting; value++) {
        for (let key = value % 7; key < 100; key += 7)
          hand(key, value % 5 === 0 ? undefined : value);
        await sleep(2);
      }
    })();
    for (let time = 0; time < 3; time++) {
      await sleep(100);
      await daemon.kill();
      await daemon.restart();
    }
    isWriting = false;
    await writing;

    const truth = await dumpOf(map.handle);
    const isTrue = ({ contents }: Mirror, expected: Map<string, string>) =>
      contents.size === expected.size &&
      [...expected].every(([key, value]) => contents.get(key) === value);
    const part = (choose: (key: string) => boolean, show: (value: string) => string) =>
      new Map([...truth].filter(([key]) => choose(key)).map(([key, value]) => [key, show(value)]));
    const always = () => true;
    const asItIs = (value: string) => value;
    await Promise.all([
      ...all.map((mirror) => mirror.untilHolds(() => isTrue(mirror, truth))),
      one.untilHolds(() =>
        isTrue(
          one,
          part((key) => key.startsWith("07"), asItIs),
        ),
      ),
      keys.untilHolds(() =>
        isTrue(
          keys,
          part(always, () => ""),
        ),
      ),
    ]);
    for (const { resyncs } of mirrors) expect(resyncs).toContain(ResyncReason.EPOCH_CHANGED);
  });

  it("goes on after a cut connection without starting over", async () => {
    const daemon = await startDaemon();
    const { proxy, client } = await proxied(daemon);
    const map = await makeMap(daemon, shapeOf("HASH"));
    const watch = client.map({ id: map.id }).watch({ ...POLL, signal: untilTestEnds() });
    const mirror = new Mirror(watch);
    for (let cut = 0; cut < 5; cut++) {
      await map.handle.update(u32(cut), u64(cut));
      await mirror.untilHolds(() => mirror.contents.has(hex(u32(cut))));
      while (watch.resumeToken === undefined) await sleep(10);
      proxy.cut();
      await map.handle.delete(u32(cut));
      await mirror.untilHolds(() => mirror.contents.size === 0);
    }
    expect(mirror.resyncs).toEqual([]);
  });

  it("goes on where other calls, cancelled by the thousand, cost it its connection", async () => {
    const daemon = await startDaemon();
    const map = await makeMap(daemon, shapeOf("HASH"));
    const watch = map.handle.watch({ ...POLL, signal: untilTestEnds() });
    const mirror = new Mirror(watch);
    while (watch.resumeToken === undefined) await sleep(10);
    const ending = new AbortController();
    const { signal } = ending;
    // More than Node.js allows a connection at once.
    const others = Array.from({ length: 1500 }, () => map.handle.watch({ signal }));
    const ended = Promise.allSettled(
      others.map(async (other) => {
        for await (const { type } of other) if (type === "synced") ready++;
      }),
    );
    let ready = 0;
    while (ready < others.length) await sleep(20);
    ending.abort();
    await ended;
    await map.handle.update(u32(1), u64(1)).catch(() => map.handle.update(u32(1), u64(1)));
    await mirror.untilHolds(() => mirror.contents.has(hex(u32(1))));
  });

  it("resumes from the token of another watch", async () => {
    const daemon = await startDaemon();
    const map = await makeMap(daemon, shapeOf("HASH"));
    await map.handle.update(u32(1), u64(1));
    const first = map.handle.watch(POLL);
    for await (const event of first) if (event.type === "synced") break;
    await map.handle.update(u32(2), u64(2));
    const { resumeToken } = first;
    const signal = untilTestEnds();
    const mirror = new Mirror(map.handle.watch({ ...POLL, signal, resumeToken: resumeToken! }));
    await mirror.untilHolds(() => mirror.contents.size > 0);
    expect([...mirror.contents.keys()]).toEqual([hex(u32(2))]);
    expect(mirror.resyncs).toEqual([]);
  });

  it("starts over where the daemon no longer knows its tokens", async () => {
    const daemon = await startDaemon();
    const map = await makeMap(daemon, shapeOf("HASH"));
    await map.handle.update(u32(1), u64(1));
    const watch = map.handle.watch({ ...POLL, signal: untilTestEnds() });
    const mirror = new Mirror(watch);
    await mirror.untilHolds(() => watch.resumeToken !== undefined);
    await daemon.stop();
    rmSync(`${daemon.directory}/run/watch-token.key`);
    await daemon.restart();
    await mirror.untilHolds(() => mirror.resyncs.length > 0 && mirror.contents.size > 0);
    expect(mirror.resyncs).toEqual([ResyncReason.UNSPECIFIED]);
  });

  it("waits longer and longer, and at random, while there is no daemon", async () => {
    const daemon = await startDaemon();
    const map = await makeMap(daemon, shapeOf("HASH"));
    let calls = 0;
    const call: typeof daemon.client.maps.watch = (request, options) => {
      calls++;
      return daemon.client.maps.watch(request, options);
    };
    const watch = new Watch(map.handle.ref, call, { ...POLL, signal: untilTestEnds() });
    const mirror = new Mirror(watch);
    await mirror.untilHolds(() => watch.resumeToken !== undefined);
    await daemon.kill();
    await sleep(2000);
    // At 100 ms at most, then twice as long each time: five or so; without pauses hundreds.
    expect(calls).toBeLessThan(40);
    await daemon.restart();
    await map.handle.update(u32(1), u64(1));
    await mirror.untilHolds(() => mirror.contents.size === 1);
  });

  it("says that the map is gone where it went while the connection was lost", async () => {
    const daemon = await startDaemon();
    const map = await makeMap(daemon, shapeOf("HASH"));
    const events: WatchEvent["type"][] = [];
    const watch = map.handle.watch({ ...POLL, signal: untilTestEnds() });
    const reading = (async () => {
      for await (const { type } of watch) events.push(type);
    })();
    while (!events.includes("synced")) await sleep(10);
    await daemon.stop();
    unlinkSync(map.pinPath);
    unlinkSync(`${daemon.bpffs}/bpfmapd/${map.hold}`);
    await daemon.restart();
    await reading;
    expect(events.at(-1)).toBe("gone");
  });

  it("throws at once where the first call fails", async () => {
    const daemon = await startDaemon();
    const missing = daemon.client.map({ id: 0x7fffffff }).watch(POLL);
    const error = await new Mirror(missing).done.then(() => expect.fail("ended"), BpfmapError.from);
    expect(error.code).toBe(status.NOT_FOUND);
  });
});

describe("leaving the loop of a watch", () => {
  const ways: readonly [string, (watch: Watch) => Promise<unknown>][] = [
    [
      "by break",
      async (watch) => {
        for await (const { type } of watch) if (type === "synced") break;
      },
    ],
    [
      "by return() while it waits",
      async (watch) => {
        const events = watch[Symbol.asyncIterator]();
        while ((await events.next()).value?.type !== "synced");
        const waiting = drain(events);
        await events.return?.();
        await waiting;
      },
    ],
    [
      "by an exception",
      async (watch) => {
        const failing = (async () => {
          for await (const { type } of watch) if (type === "synced") throw new Error("enough");
        })();
        await expect(failing).rejects.toThrow("enough");
      },
    ],
  ];

  it.each(ways)("%s ends the call", async (_, leave) => {
    const daemon = await startDaemon({ args: ["--max-watches", "1"] });
    const map = await makeMap(daemon, shapeOf("HASH"));
    await leave(map.handle.watch({ bookmarkIntervalMs: 3_600_000 }));
    await nobodyWatches(map.handle);
  });

  it("by its signal throws CANCELLED and ends the call", async () => {
    const daemon = await startDaemon({ args: ["--max-watches", "1"] });
    const map = await makeMap(daemon, shapeOf("HASH"));
    const ending = new AbortController();
    const watch = map.handle.watch({ bookmarkIntervalMs: 3_600_000, signal: ending.signal });
    const failing = (async () => {
      for await (const { type } of watch) if (type === "synced") ending.abort();
    })();
    const error = await failing.then(() => expect.fail("it ended"), BpfmapError.from);
    expect(error.code).toBe(status.CANCELLED);
    await nobodyWatches(map.handle);
  });
});

/** Waits until the daemon, which allows one watch, takes another one. */
async function nobodyWatches(handle: { watch(): Watch }): Promise<void> {
  for (;;) {
    try {
      for await (const _ of handle.watch()) return;
    } catch (error) {
      expect(BpfmapError.from(error).reason).toBe("LIMIT_EXCEEDED");
      await sleep(20);
    }
  }
}

async function drain(events: AsyncIterator<WatchEvent, undefined>): Promise<void> {
  while (!(await events.next()).done);
}

async function dumpOf(handle: TestMap): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  for await (const [key, value] of handle.dump()) contents.set(hex(key), hex(value));
  return contents;
}

type TestMap = ReturnType<TestDaemon["client"]["map"]>;
