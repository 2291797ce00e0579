import { setImmediate as nextTurn } from "node:timers/promises";
import { CallOriginSchema, HostSelectorSchema, WatchRequestSchema } from "@bpfmapd/client/proto";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { watchFleet } from "#dist/fleet/fleet-watch/watch-fleet.js";
import type { FleetWatchEvent } from "#dist/fleet/index.js";
import { BusyHosts } from "../support/simulated-hosts.js";

const HOSTS = 1000;
const MESSAGE_BYTES = 64 << 10;
const CHANGES = 5;

const FLEET = {
  selector: create(HostSelectorSchema),
  watch: create(WatchRequestSchema),
  positions: new Map<string, Uint8Array>(),
  concurrency: 64,
  origin: create(CallOriginSchema, { name: "test" }),
  requestId: "",
};

/** Lets everything go on that can. */
async function settled(hosts: BusyHosts): Promise<number> {
  const total = () => [...hosts.taken.values()].reduce((sum, count) => sum + count, 0);
  for (let before = -1; before !== total(); ) {
    before = total();
    for (let turn = 0; turn < 50; turn++) await nextTurn();
  }
  return total();
}

describe("a reader of 1000 busy hosts that is slow", () => {
  it("costs a bounded memory, and is told all in the end", async () => {
    const hosts = new BusyHosts(HOSTS, MESSAGE_BYTES, CHANGES);
    const stop = new AbortController();
    const events = watchFleet(hosts.parts, FLEET, stop.signal);
    expect((await events.next()).value).toEqual({ kind: "started", hosts: HOSTS });

    // 4 MiB of events, and one message of each host that waits: far from all 320 MB.
    const waiting = await settled(hosts);
    expect(waiting * MESSAGE_BYTES).toBeLessThan((5 << 20) + 192 * MESSAGE_BYTES);
    expect(hosts.open).toBeLessThanOrEqual(192);

    const revisions = new Map<string, number>();
    let tooSlow = 0;
    const isDone = () =>
      [...revisions.values()].filter((last) => last === CHANGES).length === HOSTS;
    while (!isDone()) {
      const event = (await events.next()).value as FleetWatchEvent;
      if (event.kind === "begun" && event.resumed) tooSlow++;
      if (event.kind !== "message" || event.response.kind.case !== "events") continue;
      // In order and without a gap: a host goes on where it stood, and tells at most again
      // what came after its last bookmark.
      const revision = Number(event.response.kind.value.revision);
      const before = revisions.get(event.hostId) ?? 0;
      expect([before, before + 1]).toContain(revision);
      revisions.set(event.hostId, revision);
    }
    expect(tooSlow).toBeGreaterThan(0);
    stop.abort();
    await expect(events.next()).rejects.toThrow();
    await settled(hosts);
    expect(hosts.open).toBe(0);
  });
});
