import { setTimeout as sleep } from "node:timers/promises";
import { type BpfmapError, status } from "@bpfmapd/client";
import { FullRing, type WriteRecordsRequestSchema } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  mapFreeze,
  mapInfo,
  pageSize,
  RingBufferReader,
  UserRingBufferWriter,
} from "#dist/kernel/index.js";
import { returned, testMap } from "../kernel/support/programs.js";
import { drainProgram } from "../kernel/support/rings.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { fdsOf, makeRing, range, type TestRing, USER_RINGBUF, untilLeft } from "./support/rings.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

type Request = MessageInitShape<typeof WriteRecordsRequestSchema>;
type Columns = Extract<NonNullable<Request["kind"]>, { case: "records" }>["value"];

/** A user ring, and a program that takes the records out of it and tells their numbers. */
interface Drain extends TestRing {
  /** Bytes that wait for the program. */
  pending(): number;
  /** Runs the program: the numbers of the records that it has taken. */
  drained(): number[];
}

function userRing(bytes: number): Drain {
  const ring = makeRing(bytes, USER_RINGBUF);
  const out = makeRing(1 << 20);
  const program = drainProgram(ring.fd, out.fd);
  const reader = RingBufferReader.open(out.fd);
  onTestFinished(() => reader.close());
  const view = UserRingBufferWriter.open(ring.fd);
  onTestFinished(() => view.close());
  return {
    ...ring,
    pending: () => view.pending,
    drained() {
      returned(program);
      const numbers: number[] = [];
      reader.read((bytes, start) => void numbers.push(Number(bytes.readBigUInt64LE(start))));
      return numbers;
    },
  };
}

function record(number: number, length = 8): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUInt32LE(number);
  return bytes;
}

function numbered(from: number, to: number, length = 8): Buffer[] {
  return range(from, to).map((number) => record(number, length));
}

const start = (ring: TestRing, whenFull = FullRing.UNSPECIFIED): Request => ({
  kind: {
    case: "start",
    value: { map: { ref: { case: "id", value: ring.id } }, whenFull },
  },
});
const records = (value: Columns): Request => ({ kind: { case: "records", value } });

async function refused(...requests: Request[]): Promise<BpfmapError> {
  const stream = async function* () {
    yield* requests;
  };
  return daemon.client.maps.writeRecords(stream()).then(
    () => expect.fail("it was not refused"),
    (error) => error as BpfmapError,
  );
}

describe("WriteRecords", () => {
  it("gives a program every record, in order", async () => {
    const ring = userRing(1 << 16);
    expect(await daemon.client.map({ id: ring.id }).writeRecords(numbered(0, 1000, 40))).toBe(
      1000n,
    );
    expect(ring.drained()).toEqual(range(0, 1000));
  });

  it("waits for room, at the program's pace, and slows the client down", async () => {
    const ring = userRing(pageSize());
    let yielded = 0;
    const source = async function* () {
      for (; yielded < 4000; yielded++) yield record(yielded, 1000);
    };
    const writing = daemon.client.map({ id: ring.id }).writeRecords(source());
    await sleep(300);
    // 4 records of 1008 bytes find room; what is on its way is bounded by messages.
    expect(yielded).toBeLessThan(3500);
    const seen: number[] = [];
    while (seen.length < 4000) {
      seen.push(...ring.drained());
      await sleep(0);
    }
    expect(await writing).toBe(4000n);
    expect(seen).toEqual(range(0, 4000));
  }, 14000);

  it("takes records of all lengths that fit, also of none", async () => {
    const ring = userRing(pageSize());
    const longest = pageSize() - 8;
    const map = daemon.client.map({ id: ring.id });
    for (const length of [8, 9, 15, 16, longest]) {
      await map.writeRecords([record(length, length)]);
      expect(ring.drained()).toEqual([length]);
    }
    // The program has nothing to tell of a record that is shorter than a number.
    expect(await map.writeRecords([new Uint8Array(0), record(5)])).toBe(2n);
    expect(ring.drained()).toEqual([5]);
  });

  it("fails where the ring is full, if that was asked for, and tells what was written", async () => {
    const ring = userRing(pageSize());
    const error = await daemon.client
      .map({ id: ring.id })
      .writeRecords(numbered(0, 100, 1000), { failWhenFull: true })
      .then(
        () => expect.fail("it was not refused"),
        (error) => error as BpfmapError,
      );
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(error.reason).toBe("RING_FULL");
    expect(error.metadata.written).toBe("4");
    expect(error.message).toContain(`map ${ring.id} (user_ringbuf)`);
    expect(ring.drained()).toEqual([0, 1, 2, 3]);
  });

  it("refuses a message with a record that is too large, whole", async () => {
    const ring = userRing(pageSize());
    const large = pageSize() - 7;
    const error = await refused(
      start(ring),
      records({ sizes: [8, 8], data: Buffer.concat(numbered(1, 3)) }),
      records({ sizes: [8, large], data: Buffer.concat([record(3), record(4, large)]) }),
    );
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.reason).toBe("RECORD_TOO_LARGE");
    expect(error.violations).toEqual([
      {
        field: "records.sizes[1]",
        description: `a record of ${large} bytes does not fit: this ring takes at most ${pageSize() - 8}`,
      },
    ]);
    expect(error.metadata.written).toBe("2");
    expect(ring.drained()).toEqual([1, 2]);
  });

  it.each<[string, string, Columns]>([
    ["sizes that do not add up", "records.sizes", { sizes: [8, 8], data: record(1) }],
    ["data without sizes", "records.sizes", { data: record(1) }],
    [
      "a sequence number",
      "records.first_sequence",
      { sizes: [8], data: record(1), firstSequence: 1n },
    ],
    ["CPUs", "records.cpus", { sizes: [8], data: record(1), cpus: [0] }],
    ["times", "records.times_ns", { sizes: [8], data: record(1), timesNs: [0n] }],
  ])("refuses %s, and writes nothing", async (_, field, columns) => {
    const ring = userRing(pageSize());
    const error = await refused(start(ring), records(columns));
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.violations.map((violation) => violation.field)).toEqual([field]);
    expect(ring.drained()).toEqual([]);
    expect(fdsOf(daemon, ring)).toEqual([]);
  });

  it("refuses streams that do not begin with a start, or have two", async () => {
    const ring = userRing(pageSize());
    for (const requests of [[], [records({})], [start(ring), start(ring)], [{}]]) {
      const error = await refused(...requests);
      expect(error.code).toBe(status.INVALID_ARGUMENT);
    }
    expect(ring.drained()).toEqual([]);
  });

  it("refuses maps that are no user rings, and frozen ones", async () => {
    const fd = testMap({ type: 1, keySize: 4, valueSize: 4, maxEntries: 4 });
    for (const map of [{ fd, id: mapInfo(fd).id }, makeRing(pageSize())]) {
      const error = await refused(start(map), records({ sizes: [8], data: record(1) }));
      expect(error.code).toBe(status.UNIMPLEMENTED);
      expect(error.reason).toBe("OPERATION_NOT_SUPPORTED");
    }
    const frozen = makeRing(pageSize(), USER_RINGBUF);
    mapFreeze(frozen.fd);
    const error = await refused(start(frozen), records({ sizes: [8], data: record(1) }));
    expect(error.reason).toBe("MAP_FROZEN");
  });

  it("lets one call write at a time, and the next when that has ended", async () => {
    const ring = userRing(pageSize());
    const map = daemon.client.map({ id: ring.id });
    const abort = new AbortController();
    // More than the ring takes: this call waits.
    const first = map.writeRecords(numbered(0, 100, 1000), { signal: abort.signal });
    first.catch(() => {});
    while (ring.pending() < 4000) await sleep(5);
    const error = await refused(start(ring), records({ sizes: [8], data: record(1) }));
    expect(error.code).toBe(status.FAILED_PRECONDITION);
    expect(error.reason).toBe("RING_BUSY");
    abort.abort();
    await expect(first).rejects.toMatchObject({ code: status.CANCELLED });
    await untilLeft(daemon, ring);
    expect(ring.drained()).toEqual([0, 1, 2, 3]);
    expect(await map.writeRecords([record(7)])).toBe(1n);
    expect(ring.drained()).toEqual([7]);
  });

  it("sends what a source has yielded while it takes its time for more", async () => {
    const ring = userRing(pageSize());
    let go = () => {};
    const source = async function* () {
      yield record(1);
      yield record(2);
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      yield record(3);
    };
    const writing = daemon.client.map({ id: ring.id }).writeRecords(source());
    const seen: number[] = [];
    while (seen.length < 2) {
      seen.push(...ring.drained());
      await sleep(1);
    }
    go();
    expect(await writing).toBe(3n);
    expect([...seen, ...ring.drained()]).toEqual([1, 2, 3]);
  });

  it("ends with DAEMON_STOPPING when the daemon stops while it waits", async () => {
    const own = await startDaemon();
    const ring = userRing(pageSize());
    const writing = own.client.map({ id: ring.id }).writeRecords(numbered(0, 100, 1000));
    writing.catch(() => {});
    while (ring.pending() < 4000) await sleep(5);
    expect(await own.stop()).toBe(0);
    await expect(writing).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      reason: "DAEMON_STOPPING",
    });
    expect(ring.drained()).toEqual([0, 1, 2, 3]);
  });
});
