import type { WatchFleetRequestSchema } from "@bpfmapd/client/proto";
import { OnRecreate } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { TestDaemon } from "../../support/daemon.js";
import { startHost, startRelay, untilConnected } from "../support/fleet.js";
import { count, HELD, HELD_REF, makeCounters } from "../support/fleet-maps.js";
import { FleetPicture } from "../support/fleet-picture.js";

type Request = Omit<MessageInitShape<typeof WatchFleetRequestSchema>, "$typeName" | "$unknown">;

const WATCH = {
  map: HELD_REF,
  pollInterval: { nanos: 20_000_000 },
  bookmarkInterval: { nanos: 100_000_000 },
  onRecreate: OnRecreate.FOLLOW,
};

/** A watch of a fleet that keeps a picture. */
class Watching {
  readonly picture: FleetPicture;
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  #failure: unknown;

  constructor(relay: TestDaemon, request: Partial<Request> = {}, picture = new FleetPicture()) {
    this.picture = picture;
    onTestFinished(() => this.stop());
    void this.#run(relay, request);
  }

  stop(): void {
    this.#stop.abort();
  }

  async #run(relay: TestDaemon, request: Partial<Request>): Promise<void> {
    const { signal } = this.#stop;
    try {
      const stream = relay.client.fleet.watchFleet(
        { selector: {}, watch: WATCH, ...request },
        { signal },
      );
      for await (const event of stream) {
        this.picture.apply(event);
        for (const check of this.#waiting) check();
      }
    } catch (error) {
      this.#failure = error;
      for (const check of this.#waiting) check();
    }
  }

  /** Waits until the picture is right; a test's own time is its bound. */
  until(isRight: (picture: FleetPicture) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (isRight(this.picture)) resolve();
        else if (this.#failure !== undefined) reject(this.#failure);
        else return;
        this.#waiting.delete(check);
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** Waits until the counters of a host are these. */
  counters(hostId: string, counters: Record<number, number>): Promise<void> {
    const wanted = JSON.stringify(counters);
    return this.until((picture) => {
      const entries = Object.entries(picture.counters(hostId)).map(([k, v]) => [k, Number(v)]);
      return JSON.stringify(Object.fromEntries(entries)) === wanted;
    });
  }
}

const isSynced = (...hostIds: string[]) => {
  return (picture: FleetPicture) => hostIds.every((id) => picture.hosts.get(id)?.synced);
};

describe("WatchFleet", () => {
  let relay: TestDaemon;
  let a: TestDaemon;
  let b: TestDaemon;

  beforeAll(async () => {
    relay = await startRelay("relay-1");
    a = await startHost("host-a", [relay], { args: ["--label", "zone=a"] });
    b = await startHost("host-b", [relay], { args: ["--label", "zone=b"] });
    await untilConnected(relay, "host-a", "host-b");
    for (const host of [a, b]) await makeCounters(host);
    return () => Promise.all([a, b, relay].map((each) => each.dispose()));
  });

  it("tells the contents of each host's map, then its changes", async () => {
    await count(a, { 1: 10, 2: 20 });
    await count(b, { 1: 11 });
    const watching = new Watching(relay);
    await watching.until(isSynced("host-a", "host-b"));
    expect(watching.picture.log[0]).toBe("started 2");
    expect(watching.picture.counters("host-a")).toEqual({ 1: 10n, 2: 20n });
    expect(watching.picture.counters("host-b")).toEqual({ 1: 11n });
    await count(b, { 7: 70 });
    await watching.counters("host-b", { 1: 11, 7: 70 });
    await a.client.map({ held: HELD }).clear();
    await b.client.map({ held: HELD }).clear();
    await watching.counters("host-a", {});
    await watching.counters("host-b", {});
  });

  it("watches only hosts that match", async () => {
    const watching = new Watching(relay, { selector: { labels: { zone: "b" } } });
    await watching.until(isSynced("host-b"));
    expect([...watching.picture.hosts.keys()]).toEqual(["host-b"]);
  });

  it("begins with no host where none matches, and says so", async () => {
    const watching = new Watching(relay, { selector: { labels: { zone: "nowhere" } } });
    await watching.until(({ log }) => log.length > 0);
    expect(watching.picture.log).toEqual(["started 0"]);
  });

  it("goes on where an earlier stream stood, without telling all anew", async () => {
    await count(a, { 1: 1 });
    await count(b, { 1: 1 });
    const first = new Watching(relay);
    await first.until(isSynced("host-a", "host-b"));
    await first.counters("host-a", { 1: 1 });
    await first.counters("host-b", { 1: 1 });
    await first.until(({ positions }) => positions.length === 2);
    first.stop();
    await count(a, { 2: 2 });
    const { positions } = first.picture;
    const gone = { hostId: "gone", resumeToken: Buffer.from("x") };
    const second = new Watching(relay, { positions: [...positions, gone] }, first.picture);
    await second.counters("host-a", { 1: 1, 2: 2 });
    await second.until(({ log }) => log.includes("host-b resumed"));
    expect(second.picture.log).toContain("host-a resumed");
    expect(second.picture.log).toContain("gone left");
    expect(second.picture.hosts.get("host-a")?.begun).toBe(2);
    await a.client.map({ held: HELD }).clear();
    await b.client.map({ held: HELD }).clear();
  });

  it("begins anew on a host that does not know the token", async () => {
    const positions = [{ hostId: "host-a", resumeToken: Buffer.alloc(40, 7) }];
    const watching = new Watching(relay, { positions });
    await watching.until(isSynced("host-a", "host-b"));
    expect(watching.picture.log).toContain("host-a begun");
    expect(watching.picture.log).not.toContain("host-a lost");
  });

  it("follows a map that is made anew", async () => {
    await count(b, { 5: 5 });
    const watching = new Watching(relay);
    await watching.until(isSynced("host-a", "host-b"));
    await b.client.maps.releaseMap({ name: HELD });
    await watching.until(({ log }) => log.includes("host-b gone"));
    await makeCounters(b);
    await count(b, { 6: 6 });
    await watching.counters("host-b", { 6: 6 });
    await b.client.map({ held: HELD }).clear();
  });

  it("is done with a host whose map is gone, where no other is waited for", async () => {
    const map = { ref: { case: "held" as const, value: "short" } };
    await a.client.maps.holdMap({ map: HELD_REF, hold: { name: "short" } });
    const selector = { hostIds: ["host-a"] };
    const { id } = await a.client.map({ held: HELD }).get();
    const byId = { ref: { case: "id" as const, value: id } };
    await a.client.maps.releaseMap({ name: HELD });
    const watching = new Watching(relay, {
      selector,
      watch: { ...WATCH, map, onRecreate: OnRecreate.END },
    });
    await watching.until(isSynced("host-a"));
    await a.client.maps.releaseMap({ name: "short" });
    await watching.until(({ log }) => log.at(-1) === "host-a lost");
    expect(watching.picture.log).toEqual([
      "started 1",
      "host-a begun",
      "host-a gone",
      "host-a lost",
    ]);
    await expect(a.client.maps.getMap({ map: byId })).rejects.toMatchObject({ code: 5 });
    await makeCounters(a);
  });

  it("tells of a host that has no such map, and begins when it is there", async () => {
    const map = { ref: { case: "held" as const, value: "later" } };
    const watching = new Watching(relay, {
      selector: { hostIds: ["host-a"] },
      watch: { ...WATCH, map },
    });
    await watching.until(({ log }) => log.includes("host-a lost"));
    await count(a, { 3: 3 });
    await a.client.maps.holdMap({ map: HELD_REF, hold: { name: "later" } });
    await watching.counters("host-a", { 3: 3 });
    expect(watching.picture.log.filter((line) => line.endsWith("lost"))).toHaveLength(1);
    await a.client.maps.releaseMap({ name: "later" });
    await a.client.map({ held: HELD }).clear();
  });

  it("refuses a token of one host for all", async () => {
    const start = { case: "resumeToken" as const, value: Buffer.from("x") };
    const stream = relay.client.fleet.watchFleet({ selector: {}, watch: { ...WATCH, start } });
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      reason: "FIELD_INVALID",
    });
  });
});

it("goes on when a host was cut off, killed, or has come, and forgets one that has left", async () => {
  const relay = await startRelay("relay-1", { args: ["--fleet-forget-after-s", "10"] });
  const host = await startHost("host-a", [relay]);
  await untilConnected(relay, "host-a");
  await makeCounters(host);
  await count(host, { 1: 1 });
  const watching = new Watching(relay);
  await watching.until(isSynced("host-a"));
  await host.kill();
  await watching.until(({ log }) => log.includes("host-a lost"));
  const joined = await startHost("host-b", [relay]);
  await makeCounters(joined);
  await count(joined, { 9: 9 });
  await watching.counters("host-b", { 9: 9 });
  await host.restart();
  await count(host, { 2: 2 });
  // The map was held, and so is as it was; the revisions are of a daemon that has ended.
  await watching.counters("host-a", { 1: 1, 2: 2 });
  expect(watching.picture.log).toContain("host-a resync");
  await joined.stop();
  await watching.until(({ log }) => log.includes("host-b left"));
  expect(watching.picture.hosts.has("host-b")).toBe(false);
});

it("is resumed at a relay that was killed, from the positions of its hosts", async () => {
  const relay = await startRelay("relay-1");
  const host = await startHost("host-a", [relay]);
  await untilConnected(relay, "host-a");
  await makeCounters(host);
  await count(host, { 1: 1 });
  const first = new Watching(relay);
  await first.until(isSynced("host-a"));
  await relay.kill();
  await count(host, { 2: 2 });
  await relay.restart();
  await untilConnected(relay, "host-a");
  const second = new Watching(relay, { positions: first.picture.positions }, first.picture);
  await second.counters("host-a", { 1: 1, 2: 2 });
  expect(second.picture.hosts.get("host-a")).toMatchObject({ begun: 2, resumed: 1 });
});
