import { describe, expect, onTestFinished, test } from "vitest";
import { BatchCalls, ElementCalls, ElementFlag } from "#dist/kernel/index.js";
import { hex, sampleKey, sampleValue } from "../../maps/support/elements.js";
import { makeMap, WALKABLE, type Walkable } from "../../maps/support/kernel-map.js";
import { bpftoolDump } from "../support/bpftool.js";

const ENTRIES = 16;

const isArray = (type: Walkable) => type === "ARRAY" || type === "PERCPU_ARRAY";
const keyKind = (type: Walkable) => (type === "LPM_TRIE" ? "prefix" : "bytes");

function open(type: Walkable) {
  // LRU maps keep 128 elements free for each CPU, and evict where the others are used up.
  const map = makeMap(type, { maxEntries: type.startsWith("LRU") ? 2000 : ENTRIES });
  const calls = new ElementCalls(map.fd, map.layout.keySize, map.layout.valueStride);
  onTestFinished(() => calls.release());
  const element = (index: number) => {
    calls.key.set(sampleKey(map.layout, index, keyKind(type)));
    calls.value.set(sampleValue(map.layout, index));
  };
  return { map, calls, element };
}

describe.each(WALKABLE)("single calls on %s", (type) => {
  test("what is written is what is read, by bpftool too, on every possible CPU", () => {
    const { map, calls, element } = open(type);
    for (let index = 0; index < ENTRIES; index++) {
      element(index);
      expect(calls.update()).toBeUndefined();
    }
    const dump = bpftoolDump(map.id);
    expect(dump.size).toBe(ENTRIES);
    for (let index = 0; index < ENTRIES; index++) {
      element(index);
      calls.value.fill(0);
      expect(calls.lookup()).toBeUndefined();
      expect(hex(calls.value)).toBe(hex(sampleValue(map.layout, index)));
      expect(dump.get(hex(calls.key))).toBe(hex(calls.value));
    }
  });

  test("NOEXIST and EXIST are kept", () => {
    const { calls, element } = open(type);
    element(1);
    expect(calls.update(ElementFlag.EXIST)).toBe(isArray(type) ? undefined : "ENOENT");
    expect(calls.update()).toBeUndefined();
    expect(calls.update(ElementFlag.NOEXIST)).toBe("EEXIST");
  });

  test("the keys are walked to their end", () => {
    const { calls, element } = open(type);
    const count = isArray(type) ? ENTRIES : 5;
    for (let index = 0; index < 5; index++) {
      element(index);
      expect(calls.update()).toBeUndefined();
    }
    const keys = new Set<string>();
    let errno = calls.firstKey();
    while (errno === undefined && keys.size <= ENTRIES) {
      keys.add(hex(calls.following));
      calls.key.set(calls.following);
      errno = calls.nextKey();
    }
    expect(errno).toBe("ENOENT");
    expect(keys.size).toBe(count);
  });

  test("a deleted element is gone, and arrays keep theirs", () => {
    const { calls, element } = open(type);
    element(1);
    expect(calls.update()).toBeUndefined();
    expect(calls.delete()).toBe(isArray(type) ? "EINVAL" : undefined);
    expect(calls.lookup()).toBe(isArray(type) ? undefined : "ENOENT");
  });
});

describe.each(WALKABLE)("batch calls on %s", (type) => {
  test("a batch is written, read to its end and deleted", () => {
    const { map } = open(type);
    const { keySize, valueStride } = map.layout;
    // Room for all: a bucket of a hash with more elements than fit answers ENOSPC.
    const batch = new BatchCalls(map.fd, keySize, valueStride, ENTRIES);
    onTestFinished(() => batch.release());
    const written = new Map<string, string>();
    for (let index = 0; index < ENTRIES; index++) {
      const key = sampleKey(map.layout, index, keyKind(type));
      const value = sampleValue(map.layout, index);
      batch.keys.set(key, index * keySize);
      batch.values.set(value, index * valueStride);
      written.set(hex(key), hex(value));
    }
    expect(batch.update(ENTRIES)).toBeUndefined();
    expect(batch.count).toBe(ENTRIES);

    const read = new Map<string, string>();
    let errno: string | undefined;
    do {
      errno = batch.lookup();
      for (let index = 0; index < batch.count; index++) {
        const key = batch.keys.subarray(index * keySize, (index + 1) * keySize);
        const value = batch.values.subarray(index * valueStride, (index + 1) * valueStride);
        read.set(hex(key), hex(value));
      }
    } while (errno === undefined);
    expect(errno).toBe("ENOENT");
    expect(read).toEqual(written);

    const some = [...read.keys()].slice(0, 3);
    batch.keys.set(Buffer.from(some.join(""), "hex"));
    expect(batch.delete(3)).toBe(isArray(type) ? "ENOTSUPP" : undefined);
    expect(bpftoolDump(map.id).size).toBe(isArray(type) ? ENTRIES : ENTRIES - 3);
  });
});
