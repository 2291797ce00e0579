import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { PollSchedule } from "#dist/watch/poll-schedule.js";
import { u32, u64 } from "../service/support/elements.js";
import { makeMap, shapeOf } from "../service/support/plain-map.js";
import { startDaemon } from "../support/daemon.js";
import { WatchReader, watchRequest } from "./support/watch-reader.js";

describe("a schedule of scans", () => {
  it("takes the shortest interval that anybody asks for, while they ask", () => {
    const schedule = new PollSchedule(0.5);
    expect(schedule.intervalMs).toBe(Number.POSITIVE_INFINITY);
    const [patient, hasty] = [{}, {}];
    schedule.want(patient, 1000);
    schedule.want(hasty, 10);
    expect(schedule.intervalMs).toBe(10);
    schedule.forget(hasty);
    expect(schedule.intervalMs).toBe(1000);
    schedule.forget(patient);
    expect(schedule.delayMs).toBe(Number.POSITIVE_INFINITY);
  });

  it("leaves the CPU what scans may not take of it, also to those who are in a hurry", () => {
    const schedule = new PollSchedule(0.25);
    schedule.want({}, 10);
    schedule.started();
    schedule.finished(10_000);
    expect(schedule.intervalMs).toBe(40_000);
    for (const ms of [schedule.delayMs, schedule.hurryMs]) {
      expect(ms).toBeGreaterThan(30_000);
      expect(ms).toBeLessThanOrEqual(40_000);
    }
  });
});

describe("a map whose scans take more of a CPU than they may", () => {
  it("is scanned more seldom than asked for, and the stream says how often", async () => {
    const daemon = await startDaemon({ args: ["--watch-cpu-percent", "1"] });
    const map = await makeMap(daemon, shapeOf("HASH", { maxEntries: 50_000 }));
    await map.handle.load(Array.from({ length: 50_000 }, (_, key) => [u32(key), u64(1)]));
    const request = watchRequest({ id: map.id }, { pollInterval: durationFromMs(20) });
    const watch = new WatchReader(daemon.client, request);
    const created = await watch.until("created");
    expect(durationMs(created.pollInterval!)).toBe(20);
    const bookmark = await watch.synced();
    // 50,000 elements cost more than a millisecond, so a hundredth of a CPU is not enough.
    expect(durationMs(bookmark.pollInterval!)).toBeGreaterThan(100);
  });
});
