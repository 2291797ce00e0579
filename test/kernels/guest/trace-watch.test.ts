import { readFileSync } from "node:fs";
import {
  ResyncReason,
  WatchFidelity,
  type WatchResponse,
  WatchSource,
  WriterKind,
} from "@bpfmapd/client/proto";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { BatchCalls, ElementCalls } from "#dist/kernel/index.js";
import { mustBpftool } from "../../cli/support/bpftool.js";
import {
  Hand,
  type KernelMap,
  makeMap,
  WALKABLE,
  type Walkable,
} from "../../maps/support/kernel-map.js";
import { startDaemon, type TestDaemon } from "../../support/daemon.js";
import { MapPrograms } from "../../watch/support/map-programs.js";
import { WatchReader, watchRequest } from "../../watch/support/watch-reader.js";
import { burst, burstKey, numberIn } from "../support/burst.js";

/** The kernel's name of the thread that makes the calls here. */
const COMM = readFileSync("/proc/thread-self/comm", "utf8").trim();

let daemon: TestDaemon;

beforeAll(async () => {
  daemon = await startDaemon({
    args: ["--watch-trace-ring-bytes=64KiB"],
  });
  return () => daemon.dispose();
});

const canDelete = (type: Walkable) => !type.endsWith("ARRAY");
const isPerCpu = (type: Walkable) => type.includes("PERCPU");
const DELETABLE = WALKABLE.filter(canDelete);
const HASHES = WALKABLE.filter((type) => type.endsWith("HASH"));

describe.each(WALKABLE)("a watch of every call on %s", (type) => {
  test("tells puts by system call, by batch and by program, in order, with who did it", async () => {
    const { map, hand, programs, reader } = await stage(type);
    const [first, second, third] = [1, 2, 3].map((number) => keyOf(map, number)) as Keys;
    hand.update(first, filled(map, 1));
    hand.update(first, filled(map, 2));
    await tells(reader, [put(first, 1), put(first, 2)], "syscall");

    const batch = new BatchCalls(map.fd, map.layout.keySize, map.layout.valueStride, 2);
    onTestFinished(() => batch.release());
    batch.keys.set(Buffer.concat([first, second]));
    batch.values.fill(3);
    expect(batch.update(2)).toBeUndefined();
    await tells(reader, [put(first, 3), put(second, 3)], "syscall");

    programs.update([[third, Buffer.alloc(8, 4)]]);
    const rows = await rowsOf(reader, 1);
    expect(rows.map(({ key }) => key)).toEqual([hex(third)]);
    expect(rows.map(({ writer }) => writer)).toMatchObject([ourselves("program")]);
    // A program writes the slot of the CPU that it runs on.
    const slots = hex(hand.lookup(third) as Buffer);
    expect(rows[0]?.shown).toBe(slots);
    if (!isPerCpu(type)) expect(slots).toBe(hex(filled(map, 4)));
  });

  test("tells what bpftool does, under its name", async () => {
    const { map, reader } = await stage(type);
    const key = keyOf(map, 1);
    const words = (bytes: Buffer) => Array.from(bytes, String);
    mustBpftool(
      ...["map", "update", "id", `${map.id}`],
      ...["key", ...words(key), "value", ...words(Buffer.alloc(8, 9))],
    );
    const [row] = await rowsOf(reader, 1);
    expect(row).toMatchObject({ key: hex(key), shown: hex(filled(map, 9)) });
    expect(row?.writer).toMatchObject({ comm: "bpftool", kind: WriterKind.SYSCALL });
    expect(row?.writer?.pid).not.toBe(process.pid);
  });

  test("tells what a program writes in place with the next scan", async () => {
    const { map, hand, programs, reader } = await stage(type, { pollMs: 500 });
    const key = keyOf(map, 1);
    hand.update(key, filled(map, 0));
    await rowsOf(reader, 1);
    expect(programs.increment([key])).toEqual([true]);
    const [row] = await rowsOf(reader, 1);
    expect(row).toMatchObject({ key: hex(key), shown: hex(hand.lookup(key) as Buffer) });
    expect(row?.writer).toBeUndefined();
  });
});

describe.each(DELETABLE)("a watch of every call on %s", (type) => {
  test("tells deletes by system call, by batch and by program, but none that failed", async () => {
    const { map, hand, programs, reader } = await stage(type);
    const keys = [1, 2, 3, 4].map((number) => keyOf(map, number));
    for (const key of keys) hand.update(key, filled(map, 1));
    await rowsOf(reader, 4);
    const [first, second, third, fourth] = keys as Keys;
    hand.delete(first);
    hand.deleteIfThere(first);
    await tells(reader, [removed(first)], "syscall");

    const batch = new BatchCalls(map.fd, map.layout.keySize, map.layout.valueStride, 2);
    onTestFinished(() => batch.release());
    batch.keys.set(Buffer.concat([second, third]));
    expect(batch.delete(2)).toBeUndefined();
    await tells(reader, [removed(second), removed(third)], "syscall");

    expect(programs.delete([fourth, fourth])).toEqual([true, false]);
    await tells(reader, [removed(fourth)], "program");
  });
});

describe.each(HASHES)("a watch of every call on %s", (type) => {
  test("tells elements that are looked up and deleted, one by one and in a batch", async () => {
    const { map, hand, reader } = await stage(type);
    const keys = [1, 2, 3].map((number) => keyOf(map, number));
    for (const key of keys) hand.update(key, filled(map, 1));
    await rowsOf(reader, 3);
    const calls = new ElementCalls(map.fd, map.layout.keySize, map.layout.valueStride);
    onTestFinished(() => calls.release());
    calls.key.set(keys[0] as Buffer);
    expect(calls.lookupAndDelete()).toBeUndefined();
    const [row] = await rowsOf(reader, 1);
    expect(row).toMatchObject({ key: hex(keys[0] as Buffer), shown: undefined });

    const batch = new BatchCalls(map.fd, map.layout.keySize, map.layout.valueStride, 1000);
    onTestFinished(() => batch.release());
    while (batch.lookupAndDelete() === undefined);
    const taken = await rowsOf(reader, 2);
    expect(taken.map(({ shown }) => shown)).toEqual([undefined, undefined]);
    expect(reader.contents.size).toBe(0);
  });
});

describe.each(HASHES.filter((type) => type.startsWith("LRU")))(
  "a watch of every call on %s",
  (type) => {
    test("tells what the kernel evicts, with whose call it made room for", async () => {
      const { map, hand, programs, reader } = await stage(type, { maxEntries: 8 });
      for (let number = 0; number < 32; number++) hand.update(keyOf(map, number), filled(map, 1));
      for (let number = 32; number < 64; number++) {
        programs.update([[keyOf(map, number), Buffer.alloc(8, 1)]]);
      }
      const kept = () => [...hand.contents().keys()].sort();
      await reader.untilHolds(() => [...reader.contents.keys()].sort().join() === kept().join());
      const evictions = reader.takeRows().filter(({ shown }) => shown === undefined);
      expect(evictions.length).toBeGreaterThanOrEqual(64 - 8);
      const makers = new Set(evictions.map(({ writer }) => writer?.kind));
      expect(makers).toEqual(new Set([WriterKind.SYSCALL, WriterKind.PROGRAM]));
    });
  },
);

test("a watch of every call that joins one of the newest values knows what was written before", async () => {
  const map = makeMap("HASH");
  const hand = new Hand(map);
  const watch = (fidelity: WatchFidelity) => {
    const pollInterval = durationFromMs(SELDOM_MS);
    return new WatchReader(daemon.client, watchRequest({ id: map.id }, { fidelity, pollInterval }));
  };
  const latest = watch(WatchFidelity.LATEST);
  await latest.synced();
  hand.update(keyOf(map, 1), filled(map, 1));

  const every = watch(WatchFidelity.EVERY_CALL);
  await every.untilHolds(() => every.contents.has(hex(keyOf(map, 1))));
  await latest.untilHolds(() => latest.contents.has(hex(keyOf(map, 1))));
  every.takeRows();
  hand.update(keyOf(map, 1), filled(map, 2));
  await tells(every, [put(keyOf(map, 1), 2)], "syscall");
});

/** More than the ring has room for, as it is faster than any reader. */
const UPDATES = 20_000;

test("a burst that the ring has no room for is told in values, and the loss with its count", async () => {
  const { map, hand, reader } = await stage("HASH");
  burst(map, UPDATES);
  let told = 0;
  let lost = 0;
  const values = new Map<string, bigint>();
  let isOrdered = true;
  const last = BigInt(UPDATES - 1);
  const lastKey = burstKey(UPDATES - 1);
  let message: WatchResponse["kind"] | undefined;
  do {
    message = await reader.next();
    if (message?.case === "resync") {
      expect(message.value.reason).toBe(ResyncReason.TRACE_LOST);
      expect(Number(message.value.lost)).toBeGreaterThan(0);
      lost += Number(message.value.lost);
    }
    for (const { key, shown, writer } of reader.takeRows()) {
      // What a scan tells is no call.
      if (!writer) continue;
      told++;
      const value = numberIn(shown);
      if (value <= (values.get(key) ?? -1n)) isOrdered = false;
      values.set(key, value);
    }
  } while (told + lost < UPDATES || numberIn(reader.contents.get(lastKey)) !== last);
  expect(lost).toBeGreaterThan(0);
  expect(told + lost).toBe(UPDATES);
  expect(isOrdered).toBe(true);
  expect(reader.contents).toEqual(hand.contents());
});

type Keys = [Buffer, Buffer, Buffer, Buffer];
type Row = ReturnType<WatchReader["takeRows"]>[number];

/** Scans this seldom come between nothing: a scan that comes first does not know who it was. */
const SELDOM_MS = 3_600_000;

/** A map of a type that is watched. */
async function stage(type: Walkable, { maxEntries = 1000, pollMs = SELDOM_MS } = {}) {
  const map = makeMap(type, { maxEntries });
  const programs = new MapPrograms(map.fd, map.layout.keySize);
  onTestFinished(() => programs.free());
  const reader = new WatchReader(
    daemon.client,
    watchRequest(
      { id: map.id },
      { fidelity: WatchFidelity.EVERY_CALL, pollInterval: durationFromMs(pollMs) },
    ),
  );
  await reader.synced();
  expect(reader.created).toMatchObject({
    source: WatchSource.TRACE,
    sourceReason: "",
    fidelity: WatchFidelity.EVERY_CALL,
  });
  return { map, programs, reader, hand: new Hand(map) };
}

/** The next changes that are told, so many of them. */
async function rowsOf(reader: WatchReader, count: number): Promise<Row[]> {
  const rows: Row[] = [];
  await reader.untilHolds(() => rows.push(...reader.takeRows()) >= count);
  expect(rows).toHaveLength(count);
  return rows;
}

/** Sees that these changes are told next, in this order, as made by this process. */
async function tells(
  reader: WatchReader,
  changes: readonly (readonly [key: Buffer, byte: number | undefined])[],
  kind: "syscall" | "program",
): Promise<void> {
  const rows = await rowsOf(reader, changes.length);
  const stride = reader.created.valueStride;
  expect(rows).toMatchObject(
    changes.map(([key, byte]) => ({
      key: hex(key),
      shown: byte === undefined ? undefined : hex(Buffer.alloc(stride, byte)),
      writer: ourselves(kind),
    })),
  );
}

const put = (key: Buffer, byte: number) => [key, byte] as const;
const removed = (key: Buffer) => [key, undefined] as const;

/** The writer that this process is. */
function ourselves(kind: "syscall" | "program") {
  return {
    pid: process.pid,
    comm: COMM,
    kind: kind === "syscall" ? WriterKind.SYSCALL : WriterKind.PROGRAM,
  };
}

function keyOf({ layout, target }: KernelMap, number: number): Buffer {
  const key = Buffer.alloc(layout.keySize);
  if (target.keyKind !== "prefix") {
    key.writeUInt32LE(number);
  } else {
    key.writeUInt32LE(32);
    key.writeUInt32BE(number, 4);
  }
  return key;
}

function filled({ layout }: KernelMap, byte: number): Buffer {
  return Buffer.alloc(layout.valueStride, byte);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
