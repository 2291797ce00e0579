import { describe, expect, it, onTestFinished } from "vitest";
import {
  EpollWaiter,
  pageSize,
  RingBufferReader,
  UserRingBufferWriter,
} from "#dist/kernel/index.js";
import { returned, testMap } from "./support/programs.js";
import { drainProgram, testRing } from "./support/rings.js";

const USER_RINGBUF = 31;

function userRing(bytes: number): { fd: number; writer: UserRingBufferWriter } {
  const fd = testMap({ type: USER_RINGBUF, keySize: 0, valueSize: 0, maxEntries: bytes });
  const writer = UserRingBufferWriter.open(fd);
  onTestFinished(() => writer.close());
  return { fd, writer };
}

function drainedNumbers(reader: RingBufferReader): number[] {
  const numbers: number[] = [];
  reader.read((ring, start) => void numbers.push(Number(ring.readBigUInt64LE(start))));
  return numbers;
}

function record(number: number, length = 8): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUInt32LE(number);
  return bytes;
}

describe("a writer into a user ring buffer", () => {
  it("gives a program its records in order, over the end of the ring too", () => {
    const { fd, writer } = userRing(pageSize());
    const ring = testRing(1 << 16);
    const reader = RingBufferReader.open(ring);
    onTestFinished(() => reader.close());
    const drain = drainProgram(fd, ring);
    let next = 0;
    for (let round = 0; round < 50; round++) {
      const first = next;
      while (writer.write(record(next, 200))) next++;
      expect(next - first).toBe(Math.floor(pageSize() / 208));
      expect(returned(drain)).toBe(next - first);
      expect(writer.pending).toBe(0);
      const expected = Array.from({ length: next - first }, (_, index) => first + index);
      expect(drainedNumbers(reader)).toEqual(expected);
    }
  });

  it("holds back what is reserved and not submitted, and what comes after it", () => {
    const { fd, writer } = userRing(pageSize());
    const ring = testRing(1 << 16);
    const reader = RingBufferReader.open(ring);
    onTestFinished(() => reader.close());
    const drain = drainProgram(fd, ring);
    const first = writer.reserve(8);
    const second = writer.reserve(8);
    writer.write(record(3));
    second?.discard();
    returned(drain);
    expect(drainedNumbers(reader)).toEqual([]);
    first?.bytes.set(record(1));
    first?.submit();
    returned(drain);
    expect(drainedNumbers(reader)).toEqual([1, 3]);
  });

  it("is woken when a full ring has room again", async () => {
    const { fd, writer } = userRing(pageSize());
    const drain = drainProgram(fd, testRing(1 << 16));
    while (writer.write(record(0)));
    const waiter = EpollWaiter.open();
    onTestFinished(() => waiter.close());
    const room = new Promise<void>((done) => {
      waiter.watch(fd, "writable", done);
    });
    setImmediate(() => returned(drain));
    await room;
    expect(writer.write(record(1))).toBe(true);
  });

  it("refuses records that no empty ring could take", () => {
    const { writer } = userRing(pageSize());
    expect(writer.longestRecord).toBe(pageSize() - 8);
    expect(writer.write(Buffer.alloc(pageSize() - 8))).toBe(true);
    expect(() => writer.write(Buffer.alloc(pageSize() - 7))).toThrow("at most 4088");
    expect(() => UserRingBufferWriter.open(testRing(pageSize()))).toThrow("mmap: EINVAL");
  });
});
