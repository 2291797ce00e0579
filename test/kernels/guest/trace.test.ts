import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import {
  Assembler,
  BatchCalls,
  closeFd,
  EpollWaiter,
  FP,
  ProgramType,
  programLoad,
  programTestRun,
  R1,
  R2,
  R3,
  R4,
} from "#dist/kernel/index.js";
import { RecordKind, type TraceRecord, WriterCode } from "#dist/watch/trace/trace-record.js";
import { TraceSource } from "#dist/watch/trace/trace-source.js";
import { Hand, type KernelMap, makeMap, type Walkable } from "../../maps/support/kernel-map.js";

const RING_BYTES = 1 << 20;

let waiter: EpollWaiter;
beforeAll(() => {
  waiter = EpollWaiter.open();
});
afterAll(() => waiter.close());

const TYPES: readonly Walkable[] = [
  "HASH",
  "LRU_HASH",
  "PERCPU_HASH",
  "LRU_PERCPU_HASH",
  "ARRAY",
  "PERCPU_ARRAY",
  "LPM_TRIE",
];

describe.each(TYPES)("a trace of a map of type %s", (type) => {
  test("tells of writes by system call, in order, with who did it", () => {
    const { map, hand, trace } = stage(type);
    const [key, other] = [keyOf(map, 1), keyOf(map, 2)];
    hand.update(key, filled(map, 1));
    hand.update(other, filled(map, 2));
    hand.update(key, filled(map, 3));
    const records = trace.take().records;
    expect(records.map(tell)).toEqual([
      `put ${key.toString("hex")} syscall`,
      `put ${other.toString("hex")} syscall`,
      `put ${key.toString("hex")} syscall`,
    ]);
    expect(records.map(({ value }) => value)).toEqual([1, 2, 3].map((n) => filled(map, n)));
    expect(new Set(records.map(({ pid }) => pid))).toEqual(new Set([process.pid]));
  });

  test("tells of batches, and of nothing on another map", () => {
    const { map, trace } = stage(type);
    const other = makeMap(type);
    for (const { fd, layout } of [map, other]) {
      const batch = new BatchCalls(fd, layout.keySize, layout.valueStride, 2);
      onTestFinished(() => batch.release());
      batch.keys.set(Buffer.concat([keyOf(map, 1), keyOf(map, 2)]));
      batch.values.fill(7);
      expect(batch.update(2)).toBeUndefined();
    }
    const records = trace.take().records;
    expect(records.map(({ key }) => key)).toEqual([keyOf(map, 1), keyOf(map, 2)]);
  });

  test("tells of writes by a program as such", () => {
    const { map, trace } = stage(type);
    runUpdateProgram(map, keyOf(map, 5), 9);
    const records = trace.take().records;
    expect(records.map(tell)).toEqual([`put ${keyOf(map, 5).toString("hex")} program`]);
  });
});

describe.each(TYPES.filter((type) => !type.endsWith("ARRAY")))(
  "a trace of a map of type %s",
  (type) => {
    test("tells of deletes that did something", () => {
      const { map, hand, trace } = stage(type);
      const key = keyOf(map, 1);
      hand.update(key, filled(map, 1));
      trace.take();
      hand.delete(key);
      expect(() => hand.delete(key)).toThrow("ENOENT");
      expect(trace.take().records.map(tell)).toEqual([`delete ${key.toString("hex")} syscall`]);
    });
  },
);

describe.each(TYPES.filter((type) => type.startsWith("LRU")))(
  "a trace of a map of type %s",
  (type) => {
    test("tells of evictions", () => {
      const { map, hand, trace } = stage(type, 8);
      for (let index = 0; index < 64; index++) hand.update(keyOf(map, index), filled(map, 1));
      const held = new Set<string>();
      for (const { kind, key } of trace.take().records) {
        if (kind === RecordKind.PUT) held.add(key.toString("hex"));
        else held.delete(key.toString("hex"));
      }
      expect(held).toEqual(new Set(hand.contents().keys()));
    });
  },
);

test("calls that the ring has no room for are counted, and the next record tells how many", () => {
  const { map, hand, trace } = stage("HASH", 1000, 4096);
  const calls = 500;
  for (let index = 0; index < calls; index++) hand.update(keyOf(map, index), filled(map, 1));
  const { records } = trace.take();
  expect(records.length).toBeGreaterThan(0);
  expect(records.length + trace.lost).toBe(calls);
  expect(records.every(({ lostBefore }) => lostBefore === 0)).toBe(true);
  hand.update(keyOf(map, 0), filled(map, 2));
  expect(trace.take().records).toMatchObject([{ lostBefore: trace.lost }]);
});

test("news wakes whoever waits for it", async () => {
  const { map, hand, trace } = stage("HASH");
  const woken = new Promise<void>((resolve) => trace.onNews(waiter, resolve));
  hand.update(keyOf(map, 1), filled(map, 1));
  await woken;
  expect(trace.take().records).toHaveLength(1);
});

function stage(type: Walkable, maxEntries = 1000, ringBytes = RING_BYTES) {
  const map = makeMap(type, { maxEntries });
  const trace = TraceSource.open("trace", map.target, map.id, ringBytes);
  onTestFinished(() => trace.close());
  return { map, hand: new Hand(map), trace };
}

function tell({ kind, key, writer }: TraceRecord): string {
  const what = kind === RecordKind.PUT ? "put" : kind === RecordKind.DELETE ? "delete" : "many";
  return `${what} ${key.toString("hex")} ${writer === WriterCode.SYSCALL ? "syscall" : "program"}`;
}

function keyOf(map: KernelMap, number: number): Buffer {
  const key = Buffer.alloc(map.layout.keySize);
  if (map.target.keyKind !== "prefix") {
    key.writeUInt32LE(number);
  } else {
    key.writeUInt32LE(32);
    key.writeUInt32BE(number, 4);
  }
  return key;
}

function filled(map: KernelMap, byte: number): Buffer {
  return Buffer.alloc(map.layout.valueStride, byte);
}

/** Runs a program that updates one element: its key and value stand on its stack. */
function runUpdateProgram(map: KernelMap, key: Buffer, byte: number): void {
  const program = new Assembler();
  for (let at = 0; at < key.length; at += 4) {
    program.store("u32", FP, -16 + at, key.readInt32LE(at));
  }
  program.store("u64", FP, -24, byte);
  const instructions = program
    .loadMap(R1, map.fd)
    .mov(R2, FP)
    .add(R2, -16)
    .mov(R3, FP)
    .add(R3, -24)
    .mov(R4, 0)
    .call("map_update_elem")
    .return(0)
    .build();
  const fd = programLoad({ type: ProgramType.SOCKET_FILTER, instructions });
  onTestFinished(() => closeFd(fd));
  programTestRun(fd, { data: Buffer.alloc(64) });
}
