import { BpfmapError, status } from "@bpfmapd/client";
import type { ReadRecordsRequestSchema, RecordStart } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, it } from "vitest";
import { mapFreeze, mapInfo, pageSize } from "#dist/kernel/index.js";
import { testMap } from "../kernel/support/programs.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import {
  fdsOf,
  makeProducer,
  makeRing,
  PERF_EVENT_ARRAY,
  Recording,
  type TestRing,
  USER_RINGBUF,
  untilLeft,
} from "./support/rings.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon({ args: ["--max-record-streams", "2", "--max-record-maps", "2"] });
  return () => daemon.dispose();
});

type Request = Omit<MessageInitShape<typeof ReadRecordsRequestSchema>, "$typeName" | "$unknown">;

/** The error of a call that must fail before its first answer. */
async function refused(ring: TestRing, request: Request): Promise<BpfmapError> {
  const map = { ref: { case: "id" as const, value: ring.id } };
  const stream = daemon.client.maps.readRecords({ map, exclusive: true, ...request });
  try {
    await stream.next();
  } catch (error) {
    if (error instanceof BpfmapError) return error;
    throw error;
  } finally {
    await stream.return();
  }
  return expect.fail("it was not refused");
}

function plainMap(type: number, keySize: number, maxEntries = 4): TestRing {
  const fd = testMap({ type, keySize, valueSize: 4, maxEntries });
  return { fd, id: mapInfo(fd).id };
}

describe("ReadRecords refuses", () => {
  it.each([
    ["a hash map", () => plainMap(1, 4), "only ring buffers and perf event arrays have"],
    ["a queue", () => plainMap(22, 0), "use PopElements"],
    ["a user ring buffer", () => makeRing(pageSize(), USER_RINGBUF), "WriteRecords writes it"],
  ])("%s", async (_, make, hint) => {
    const error = await refused(make(), {});
    expect(error.code).toBe(status.UNIMPLEMENTED);
    expect(error.reason).toBe("OPERATION_NOT_SUPPORTED");
    expect(error.message).toContain(hint);
  });

  it.each([
    ["exclusive", { exclusive: false }],
    ["queue_bytes", { queueBytes: 65_535n }],
    ["queue_bytes", { queueBytes: 268_435_457n }],
    ["start", { start: 9 as RecordStart }],
    ["pages_per_cpu", { pagesPerCpu: 8192 }],
    ["pages_per_cpu", { pagesPerCpu: 1 }],
    ["slot", { slot: { cpu: 0, index: 0 } }],
    ["map.ref", { map: {} }],
  ])("a bad %s, and takes nothing out of the ring: %o", async (field, request) => {
    const ring = makeRing(pageSize());
    const producer = makeProducer(ring, 3, 16);
    producer.run();
    const error = await refused(ring, request);
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.reason).toBe("FIELD_INVALID");
    expect(error.violations.map((violation) => violation.field)).toContain(field);
    const recording = await Recording.start(daemon.client, ring);
    await recording.until(3);
    await recording.stop();
    await untilLeft(daemon, ring);
  });

  it.each([
    ["pages_per_cpu", "FIELD_INVALID", { pagesPerCpu: 3 }],
    ["slot.index", "KEY_OUT_OF_RANGE", { slot: { cpu: 0, index: 4 } }],
    ["slot.cpu", "CPU_OUT_OF_RANGE", { slot: { cpu: 4000, index: 0 } }],
  ])("a bad %s of a perf event array", async (field, reason, request) => {
    const map = plainMap(PERF_EVENT_ARRAY, 4);
    const error = await refused(map, request);
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.reason).toBe(reason);
    expect(error.violations.map((violation) => violation.field)).toEqual([field]);
    expect(fdsOf(daemon, map)).toEqual([]);
  });

  it("a map that is not there", async () => {
    const error = await refused({ fd: -1, id: 0x7fffffff }, {});
    expect(error.code).toBe(status.NOT_FOUND);
    expect(error.reason).toBe("MAP_NOT_FOUND");
  });

  it("a ring buffer that is frozen, since reading writes to it", async () => {
    const ring = makeRing(pageSize());
    mapFreeze(ring.fd);
    const error = await refused(ring, {});
    expect(error.code).toBe(status.FAILED_PRECONDITION);
    expect(error.reason).toBe("MAP_FROZEN");
    expect(error.message).toContain(`map ${ring.id} (ringbuf)`);
    expect(fdsOf(daemon, ring)).toEqual([]);
  });

  it("other slots of a perf event array than those that are read", async () => {
    const map = plainMap(PERF_EVENT_ARRAY, 4);
    const recording = await Recording.start(daemon.client, map);
    const error = await refused(map, { slot: { cpu: 0, index: 1 } });
    expect(error.code).toBe(status.FAILED_PRECONDITION);
    expect(error.reason).toBe("RING_BUSY");
    expect(recording.error).toBeUndefined();
    await recording.stop();
    await untilLeft(daemon, map);
  });

  it("more streams, and more maps, than the daemon's limits", async () => {
    const rings = [makeRing(pageSize()), makeRing(pageSize()), makeRing(pageSize())] as const;
    const first = await Recording.start(daemon.client, rings[0]);
    const second = await Recording.start(daemon.client, rings[1]);
    for (const ring of rings) {
      const error = await refused(ring, {});
      expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
      expect(error.reason).toBe("LIMIT_EXCEEDED");
      expect(error.metadata.limit).toBe("limits.max_record_streams");
    }
    expect(fdsOf(daemon, rings[2])).toEqual([]);
    await Promise.all([first.stop(), second.stop()]);
  });
});
