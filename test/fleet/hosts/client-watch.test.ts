import { Fleet, type FleetWatchEvent } from "@bpfmapd/client";
import { expect, it, onTestFinished } from "vitest";
import { startHost, startRelay, untilConnected } from "../support/fleet.js";
import { count, HELD, keyOf, makeCounters } from "../support/fleet-maps.js";

it("keeps its picture of a fleet while its relay is killed, and goes on where it was", async () => {
  const relay = await startRelay("relay-1");
  const host = await startHost("host-a", [relay]);
  await untilConnected(relay, "host-a");
  await makeCounters(host);
  await count(host, { 1: 1 });

  const lost: string[] = [];
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const watch = new Fleet(relay.client).watch(
    { held: HELD },
    {
      signal: stop.signal,
      pollIntervalMs: 20,
      bookmarkIntervalMs: 100,
      onLost: ({ message }) => lost.push(message),
    },
  );
  const counters = new Map<number, bigint>();
  const kinds: string[] = [];
  const events = watch[Symbol.asyncIterator]();
  const until = async (isRight: () => boolean) => {
    while (!isRight()) {
      const { value } = await events.next();
      apply(value as FleetWatchEvent);
    }
  };
  const apply = (event: FleetWatchEvent) => {
    if (event.kind !== "event") {
      kinds.push(event.kind === "begun" && event.resumed ? "resumed" : event.kind);
    } else if (event.event.type === "put") {
      const { key, value } = event.event;
      counters.set(keyOf(key), Buffer.from(value).readBigUInt64LE());
    } else if (event.event.type === "delete") {
      counters.delete(keyOf(event.event.key));
    }
  };

  await until(() => watch.positions.has("host-a"));
  expect(counters).toEqual(new Map([[1, 1n]]));
  await relay.kill();
  await host.client.maps.deleteElements({
    map: host.client.map({ held: HELD }).ref,
    count: 1,
    keys: Buffer.from([1, 0, 0, 0]),
  });
  await count(host, { 2: 2 });
  await relay.restart();
  await until(() => counters.has(2) && !counters.has(1));
  expect(kinds.filter((kind) => kind === "begun")).toHaveLength(1);
  expect(kinds).toContain("resumed");
  expect(lost.length).toBeGreaterThan(0);
  await events.return?.();
});

it("throws where the relay is no relay, rather than trying for ever", async () => {
  const host = await startHost("host-a", []);
  const watch = new Fleet(host.client).watch({ held: HELD });
  await expect(watch[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 12 });
});
