import { describe, expect, it, onTestFinished } from "vitest";
import {
  closeFd,
  ElementCalls,
  ElementFlag,
  type MapCreation,
  mapCreate,
  possibleCpus,
} from "#dist/kernel/index.js";

const HASH = 1;
const ARRAY = 2;
const PERCPU_ARRAY = 6;
const LPM_TRIE = 11;
const QUEUE = 22;
const BLOOM_FILTER = 30;

describe("element calls", () => {
  it("write, read and delete an element, and answer undefined", () => {
    const calls = callsOn({ type: HASH, keySize: 4, valueSize: 8, maxEntries: 4 });
    calls.key.writeUInt32LE(7);
    calls.value.fill("deadbeef");
    expect(calls.update()).toBeUndefined();
    calls.value.fill(0);
    expect(calls.lookup()).toBeUndefined();
    expect(calls.value.toString()).toBe("deadbeef");
    expect(calls.delete()).toBeUndefined();
    expect(calls.lookup()).toBe("ENOENT");
    expect(calls.delete()).toBe("ENOENT");
  });

  it("answer the errno's name where the kernel refuses", () => {
    const calls = callsOn({ type: HASH, keySize: 4, valueSize: 4, maxEntries: 1 });
    expect(calls.update(ElementFlag.EXIST)).toBe("ENOENT");
    expect(calls.update(ElementFlag.NOEXIST)).toBeUndefined();
    expect(calls.update(ElementFlag.NOEXIST)).toBe("EEXIST");
    calls.key.fill(1);
    expect(calls.update()).toBe("E2BIG");
    expect(calls.update(1 << 20)).toBe("EINVAL");
  });

  it("look up and delete in one", () => {
    const calls = callsOn({ type: HASH, keySize: 4, valueSize: 4, maxEntries: 1 });
    calls.value.writeUInt32LE(99);
    calls.update();
    calls.value.fill(0);
    expect(calls.lookupAndDelete()).toBeUndefined();
    expect(calls.value.readUInt32LE()).toBe(99);
    expect(calls.lookupAndDelete()).toBe("ENOENT");
  });

  it("walk the keys, and start again from a key that is not there", () => {
    const calls = callsOn({ type: HASH, keySize: 4, valueSize: 4, maxEntries: 3 });
    for (const key of [10, 20, 30]) {
      calls.key.writeUInt32LE(key);
      calls.update();
    }
    const first = walkOne(calls.firstKey(), calls);
    const seen = [first];
    for (let errno = next(calls); errno === undefined; errno = next(calls)) {
      seen.push(calls.key.readUInt32LE());
    }
    expect([...seen].sort()).toEqual([10, 20, 30]);
    calls.key.writeUInt32LE(12345);
    expect(calls.nextKey()).toBeUndefined();
    expect(calls.following.readUInt32LE()).toBe(first);
  });

  it("take keys and values of one byte, all of them", () => {
    const calls = callsOn({ type: HASH, keySize: 1, valueSize: 1, maxEntries: 256 });
    expect([calls.key.length, calls.following.length, calls.value.length]).toEqual([1, 1, 1]);
    for (let key = 0; key < 256; key++) {
      calls.key[0] = key;
      calls.value[0] = 255 - key;
      expect(calls.update()).toBeUndefined();
    }
    for (let key = 0; key < 256; key++) {
      calls.key[0] = key;
      expect(calls.lookup()).toBeUndefined();
      expect(calls.value[0]).toBe(255 - key);
    }
    const seen = new Set<number>();
    calls.firstKey();
    do {
      calls.following.copy(calls.key);
      seen.add(calls.key[0] ?? -1);
    } while (calls.nextKey() === undefined);
    expect(seen.size).toBe(256);
  });

  it.each([3, 5, 7, 9, 511, 4097])("keep keys and values of %i bytes apart", (size) => {
    const calls = callsOn({ type: HASH, keySize: size, valueSize: size, maxEntries: 2 });
    const key = Buffer.alloc(size, 0xaa);
    const value = Buffer.alloc(size, 0xbb);
    key.copy(calls.key);
    value.copy(calls.value);
    expect(calls.update()).toBeUndefined();
    calls.value.fill(0);
    calls.following.fill(0xcc);
    expect(calls.lookup()).toBeUndefined();
    expect(calls.value).toEqual(value);
    expect(calls.key).toEqual(key);
    expect(calls.firstKey()).toBeUndefined();
    expect(calls.following).toEqual(key);
    expect(calls.value).toEqual(value);
  });

  it("carry a value of 64 MiB", () => {
    const size = 64 << 20;
    const calls = callsOn({ type: ARRAY, keySize: 4, valueSize: size, maxEntries: 1 });
    expect(calls.value.length).toBe(size);
    calls.value.fill("0123456789abcde");
    const written = calls.value.subarray(0, 4096).toString("hex");
    const end = calls.value.subarray(size - 4096).toString("hex");
    expect(calls.update()).toBeUndefined();
    calls.value.fill(0);
    expect(calls.lookup()).toBeUndefined();
    expect(calls.value.subarray(0, 4096).toString("hex")).toBe(written);
    expect(calls.value.subarray(size - 4096).toString("hex")).toBe(end);
  });

  it("carry per-CPU values whole, a slot for each possible CPU", () => {
    const cpus = possibleCpus().length;
    const creation = { type: PERCPU_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 };
    const calls = callsOn(creation, 8 * cpus);
    for (let cpu = 0; cpu < cpus; cpu++) calls.value.writeUInt32LE(100 + cpu, 8 * cpu);
    expect(calls.update()).toBeUndefined();
    calls.value.fill(0);
    expect(calls.lookup()).toBeUndefined();
    for (let cpu = 0; cpu < cpus; cpu++) {
      expect(calls.value.readUInt32LE(8 * cpu)).toBe(100 + cpu);
    }
  });

  it("give queues no key, which they insist on", () => {
    const calls = callsOn({ type: QUEUE, keySize: 0, valueSize: 4, maxEntries: 2 });
    for (const value of [1, 2]) {
      calls.value.writeUInt32LE(value);
      expect(calls.update()).toBeUndefined();
    }
    expect(calls.update()).toBe("E2BIG");
    expect(calls.lookup()).toBeUndefined();
    expect(calls.value.readUInt32LE()).toBe(1);
    expect(calls.lookupAndDelete()).toBeUndefined();
    expect(calls.lookupAndDelete()).toBeUndefined();
    expect(calls.value.readUInt32LE()).toBe(2);
    expect(calls.lookup()).toBe("ENOENT");
  });

  it("give bloom filters the value to look up", () => {
    const calls = callsOn({ type: BLOOM_FILTER, keySize: 0, valueSize: 4, maxEntries: 100 });
    calls.value.writeUInt32LE(5);
    expect(calls.lookup()).toBe("ENOENT");
    expect(calls.update()).toBeUndefined();
    expect(calls.lookup()).toBeUndefined();
    expect(calls.value.readUInt32LE()).toBe(5);
  });

  it("name ENOTSUPP, which no libc knows", () => {
    const creation = { type: LPM_TRIE, keySize: 8, valueSize: 4, maxEntries: 1, flags: 1 };
    expect(callsOn(creation).lookupAndDelete()).toBe("ENOTSUPP");
  });

  it("answer EBADF on a closed map", () => {
    const fd = mapCreate({ type: HASH, keySize: 4, valueSize: 4, maxEntries: 1 });
    const calls = new ElementCalls(fd, 4, 4);
    closeFd(fd);
    expect(calls.lookup()).toBe("EBADF");
    calls.release();
  });
});

/** Calls on a map of the test's own. */
function callsOn(creation: MapCreation, valueStride = creation.valueSize): ElementCalls {
  const fd = mapCreate(creation);
  onTestFinished(() => closeFd(fd));
  const calls = new ElementCalls(fd, creation.keySize, valueStride);
  onTestFinished(() => calls.release());
  calls.key.fill(0);
  return calls;
}

function walkOne(errno: string | undefined, calls: ElementCalls): number {
  expect(errno).toBeUndefined();
  calls.following.copy(calls.key);
  return calls.key.readUInt32LE();
}

/** Moves on to the next key. */
function next(calls: ElementCalls): string | undefined {
  const errno = calls.nextKey();
  if (errno === undefined) calls.following.copy(calls.key);
  return errno;
}
