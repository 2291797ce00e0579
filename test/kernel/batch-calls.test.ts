import { describe, expect, it, onTestFinished } from "vitest";
import {
  BatchCalls,
  closeFd,
  ElementCalls,
  type MapCreation,
  mapCreate,
  possibleCpus,
} from "#dist/kernel/index.js";

const HASH = 1;
const ARRAY = 2;
const PERCPU_HASH = 5;
const LPM_TRIE = 11;
const QUEUE = 22;

describe("batch calls", () => {
  it("read an array in steps, and ENOENT ends with good elements", () => {
    const { batch } = arrayOf(10, 4);
    const seen: number[] = [];
    const answers: (string | undefined)[] = [];
    for (let errno: string | undefined; errno !== "ENOENT"; ) {
      errno = batch.lookup();
      answers.push(errno);
      for (let index = 0; index < batch.count; index++) {
        seen.push(batch.keys.readUInt32LE(4 * index), batch.values.readUInt32LE(4 * index));
      }
    }
    expect(answers).toEqual([undefined, undefined, "ENOENT"]);
    expect(seen).toEqual(Array.from({ length: 10 }, (_, key) => [key, key + 100]).flat());
  });

  it("answer ENOENT with no element after the last", () => {
    const { batch } = arrayOf(4, 4);
    expect(batch.lookup()).toBeUndefined();
    expect(batch.count).toBe(4);
    expect(batch.lookup()).toBe("ENOENT");
    expect(batch.count).toBe(0);
  });

  it("fill memory that they are given, and their own after they had to grow", () => {
    const { batch } = arrayOf(10, 4);
    const memory = new ArrayBuffer(200);
    batch.fill(memory, { capacity: 6, keysAt: 16, valuesAt: 100 });
    expect(batch.capacity).toBe(6);
    expect(batch.lookup(1, 5)).toBeUndefined();
    const words = (at: number) => Array.from(new Uint32Array(memory, at, 6));
    expect(words(16)).toEqual([0, 0, 1, 2, 3, 4]);
    expect(words(100)).toEqual([0, 100, 101, 102, 103, 104]);
    expect(() => batch.lookup(2, 5)).toThrow(RangeError);
    batch.grow(8);
    expect(batch.lookup()).toBe("ENOENT");
    expect(batch.keys.readUInt32LE(0)).toBe(5);
    expect(words(16)).toEqual([0, 0, 1, 2, 3, 4]);
  });

  it("answer ENOENT at once on an empty hash", () => {
    const { batch } = on({ type: HASH, keySize: 4, valueSize: 4, maxEntries: 16 }, 16);
    expect(batch.lookup()).toBe("ENOENT");
    expect(batch.count).toBe(0);
  });

  it("grow on the same cursor where a bucket does not fit, and miss and repeat nothing", () => {
    const elements = 256;
    const { calls, batch } = on({ type: HASH, keySize: 4, valueSize: 4, maxEntries: elements }, 1);
    for (let key = 0; key < elements; key++) write(calls, key, key * 3);
    const seen: number[] = [];
    let grown = 0;
    for (let errno: string | undefined; errno !== "ENOENT"; ) {
      errno = batch.lookup();
      if (errno === "ENOSPC") {
        expect(batch.count).toBe(0);
        batch.grow(batch.capacity + 1);
        grown++;
        continue;
      }
      for (let index = 0; index < batch.count; index++) {
        const key = batch.keys.readUInt32LE(4 * index);
        expect(batch.values.readUInt32LE(4 * index)).toBe(key * 3);
        seen.push(key);
      }
    }
    // 256 keys in 256 buckets: that none shares a bucket with another does not happen.
    expect(grown).toBeGreaterThan(0);
    expect(batch.capacity).toBe(1 + grown);
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: elements }, (_, key) => key));
  });

  it("keep the kernel's cursor out of the columns, with keys of one byte too", () => {
    const { calls, batch } = on({ type: HASH, keySize: 1, valueSize: 1, maxEntries: 256 }, 16);
    for (let key = 0; key < 256; key++) {
      calls.key[0] = key;
      calls.value[0] = 255 - key;
      expect(calls.update()).toBeUndefined();
    }
    const seen = new Set<number>();
    for (let errno: string | undefined; errno !== "ENOENT"; ) {
      errno = batch.lookup();
      if (errno === "ENOSPC") batch.grow(batch.capacity * 2);
      else {
        for (let index = 0; index < batch.count; index++) {
          expect(batch.values[index]).toBe(255 - (batch.keys[index] ?? 0));
          seen.add(batch.keys[index] ?? -1);
        }
      }
    }
    expect(seen.size).toBe(256);
  });

  it("start again after a rewind", () => {
    const { batch } = arrayOf(8, 4);
    batch.lookup();
    batch.rewind();
    expect(batch.lookup()).toBeUndefined();
    expect(batch.keys.readUInt32LE()).toBe(0);
  });

  it("read and delete, so that nothing is left", () => {
    const { calls, batch } = on({ type: HASH, keySize: 4, valueSize: 4, maxEntries: 8 }, 64);
    for (let key = 0; key < 8; key++) write(calls, key, key);
    expect(batch.lookupAndDelete()).toBe("ENOENT");
    expect(batch.count).toBe(8);
    expect(calls.firstKey()).toBe("ENOENT");
  });

  it("update in order and stop at the first that is refused, with the count before it", () => {
    const { calls, batch } = on({ type: HASH, keySize: 4, valueSize: 4, maxEntries: 2 }, 4);
    for (let index = 0; index < 4; index++) {
      batch.keys.writeUInt32LE(index, 4 * index);
      batch.values.writeUInt32LE(index + 50, 4 * index);
    }
    expect(batch.update(4)).toBe("E2BIG");
    expect(batch.count).toBe(2);
    calls.key.writeUInt32LE(1);
    expect(calls.lookup()).toBeUndefined();
    expect(calls.value.readUInt32LE()).toBe(51);
  });

  it("update only as many as they are told", () => {
    const { calls, batch } = on({ type: HASH, keySize: 4, valueSize: 4, maxEntries: 8 }, 8);
    for (let index = 0; index < 8; index++) batch.keys.writeUInt32LE(index, 4 * index);
    expect(batch.update(3)).toBeUndefined();
    expect(batch.count).toBe(3);
    calls.key.writeUInt32LE(3);
    expect(calls.lookup()).toBe("ENOENT");
  });

  it("delete in order and stop at a key that is not there", () => {
    const { calls, batch } = on({ type: HASH, keySize: 4, valueSize: 4, maxEntries: 4 }, 3);
    for (const key of [1, 3]) write(calls, key, key);
    for (const [index, key] of [1, 2, 3].entries()) batch.keys.writeUInt32LE(key, 4 * index);
    expect(batch.delete(3)).toBe("ENOENT");
    expect(batch.count).toBe(1);
    calls.key.writeUInt32LE(3);
    expect(calls.lookup()).toBeUndefined();
  });

  it("carry per-CPU values whole", () => {
    const stride = 8 * possibleCpus().length;
    const creation = { type: PERCPU_HASH, keySize: 4, valueSize: 5, maxEntries: 4 };
    const { batch } = on(creation, 16, stride);
    batch.keys.writeUInt32LE(9);
    batch.values.fill(0x5a, 0, stride);
    expect(batch.update(1)).toBeUndefined();
    batch.values.fill(0);
    expect(batch.lookup()).toBe("ENOENT");
    expect(batch.count).toBe(1);
    for (let slot = 0; slot < stride; slot += 8) {
      expect(batch.values.toString("hex", slot, slot + 5)).toBe("5a5a5a5a5a");
    }
  });

  it("walk tries, whose cursor is a key", () => {
    const creation = { type: LPM_TRIE, keySize: 8, valueSize: 4, maxEntries: 50, flags: 1 };
    const { calls, batch } = on(creation, 7);
    for (let net = 0; net < 50; net++) {
      calls.key.writeUInt32LE(32);
      calls.key.writeUInt32BE(0x0a000000 + net, 4);
      expect(calls.update()).toBeUndefined();
    }
    const seen = new Set<number>();
    for (let errno: string | undefined; errno !== "ENOENT"; ) {
      errno = batch.lookup();
      for (let index = 0; index < batch.count; index++) {
        seen.add(batch.keys.readUInt32BE(8 * index + 4));
      }
    }
    expect(seen.size).toBe(50);
  });

  it("name ENOTSUPP where the type has none", () => {
    const { batch } = on({ type: QUEUE, keySize: 0, valueSize: 4, maxEntries: 4 }, 4);
    expect(batch.lookup()).toBe("ENOTSUPP");
    expect(batch.update(1)).toBe("ENOTSUPP");
    expect(batch.delete(1)).toBe("ENOTSUPP");
    expect(batch.lookupAndDelete()).toBe("ENOTSUPP");
  });
});

/** Calls on a map of the test's own. */
function on(creation: MapCreation, capacity: number, stride = creation.valueSize) {
  const fd = mapCreate(creation);
  onTestFinished(() => closeFd(fd));
  const calls = new ElementCalls(fd, creation.keySize, stride);
  onTestFinished(() => calls.release());
  const batch = new BatchCalls(fd, creation.keySize, stride, capacity);
  onTestFinished(() => batch.release());
  return { calls, batch };
}

/** An array whose values are 100 more than their index. */
function arrayOf(elements: number, capacity: number) {
  const map = on({ type: ARRAY, keySize: 4, valueSize: 4, maxEntries: elements }, capacity);
  for (let index = 0; index < elements; index++) write(map.calls, index, index + 100);
  return map;
}

function write(calls: ElementCalls, key: number, value: number): void {
  calls.key.writeUInt32LE(key);
  calls.value.writeUInt32LE(value);
  expect(calls.update()).toBeUndefined();
}
