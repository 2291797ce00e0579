import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import {
  ArrayMemory,
  ElementCalls,
  MappedRegion,
  mapFreeze,
  pageSize,
  programTestRun,
} from "#dist/kernel/index.js";
import { PACKET, testMap, testProgram } from "./support/programs.js";
import { recordWriter, testRing } from "./support/rings.js";

const MMAPABLE = { type: 2, keySize: 4, flags: 1 << 10 };

function element(fd: number, index: number, size: number): Buffer {
  const calls = new ElementCalls(fd, 4, size);
  calls.key.writeUInt32LE(index);
  expect(calls.lookup()).toBeUndefined();
  const value = Buffer.from(calls.value);
  calls.release();
  return value;
}

function put(fd: number, index: number, value: number): void {
  const calls = new ElementCalls(fd, 4, 8);
  calls.key.writeUInt32LE(index);
  calls.value.writeUInt32LE(value);
  expect(calls.update()).toBeUndefined();
  calls.release();
}

describe("the memory of an array map", () => {
  it("shows at once what programs write", () => {
    const fd = testMap({ ...MMAPABLE, valueSize: 16, maxEntries: 1 });
    const memory = ArrayMemory.open(fd);
    const writer = testProgram(recordWriter(testRing(1 << 16), fd, 10, 64));
    expect(memory.bytes.readBigUInt64LE(0)).toBe(0n);
    programTestRun(writer, { data: PACKET });
    expect(memory.bytes.readBigUInt64LE(0)).toBe(10n);
    memory.unmap();
    expect(memory.bytes.readBigUInt64LE(0)).toBe(0n);
  });

  it("lays values out in steps of eight bytes, and takes writes", () => {
    const fd = testMap({ ...MMAPABLE, valueSize: 12, maxEntries: 2000 });
    const memory = ArrayMemory.open(fd, { writable: true });
    expect(memory.stride).toBe(16);
    expect(memory.bytes.length).toBe(2000 * 16);
    memory.bytes.writeUInt32LE(0xabcdef, 1999 * 16 + 8);
    expect(element(fd, 1999, 12).readUInt32LE(8)).toBe(0xabcdef);
    memory.unmap();
    memory.unmap();
    expect(element(fd, 1999, 12).readUInt32LE(8)).toBe(0xabcdef);
  });

  it("is mapped again in the same place, and shows what was written meanwhile", () => {
    const fd = testMap({ ...MMAPABLE, valueSize: 8, maxEntries: 100_000 });
    const memory = ArrayMemory.open(fd);
    const before = addressSpace();
    for (let round = 1; round <= 100; round++) {
      memory.unmap();
      expect(memory.bytes.readUInt32LE(99_999 * 8)).toBe(0);
      put(fd, 99_999, round);
      memory.remap(fd);
      expect(memory.bytes.readUInt32LE(99_999 * 8)).toBe(round);
    }
    memory.unmap();
    // Large enough to be told from what the process itself takes meanwhile.
    expect(addressSpace() - before).toBeLessThan(50 * memory.bytes.length);
  });

  it("stays readable where it cannot be mapped again", () => {
    const fd = testMap({ ...MMAPABLE, valueSize: 8, maxEntries: 1000 });
    const memory = ArrayMemory.open(fd);
    const smaller = testMap({ ...MMAPABLE, valueSize: 8, maxEntries: 1 });
    const plain = testMap({ type: 2, keySize: 4, valueSize: 8, maxEntries: 1000 });
    for (const other of [smaller, plain]) {
      memory.unmap();
      expect(() => memory.remap(other)).toThrow("mmap: E");
      expect(memory.bytes.readUInt32LE(999 * 8)).toBe(0);
    }
    memory.remap(fd);
    put(fd, 999, 7);
    expect(memory.bytes.readUInt32LE(999 * 8)).toBe(7);
    memory.unmap();
  });

  it("is refused where the map does not allow it", () => {
    const plain = testMap({ type: 2, keySize: 4, valueSize: 8, maxEntries: 1 });
    expect(() => ArrayMemory.open(plain)).toThrow("mmap: EINVAL");
    expect(() => ArrayMemory.open(testRing(pageSize()))).toThrow("mmap: EINVAL");
    const frozen = testMap({ ...MMAPABLE, valueSize: 8, maxEntries: 1 });
    mapFreeze(frozen);
    expect(() => ArrayMemory.open(frozen, { writable: true })).toThrow("mmap: EPERM");
    ArrayMemory.open(frozen).unmap();
  });

  it("stops a freeze while it can be written, and no longer", () => {
    const fd = testMap({ ...MMAPABLE, valueSize: 8, maxEntries: 1 });
    const memory = ArrayMemory.open(fd, { writable: true });
    expect(() => mapFreeze(fd)).toThrow("BPF_MAP_FREEZE: EBUSY");
    memory.unmap();
    mapFreeze(fd);
  });
});

it("gives addresses back when nothing refers to mapped memory any more", async () => {
  const length = 1 << 20;
  const fd = testMap({ ...MMAPABLE, valueSize: length, maxEntries: 1 });
  const before = addressSpace();
  for (let i = 0; i < 500; i++) MappedRegion.map(fd, { length }).unmap();
  expect(addressSpace() - before).toBeGreaterThan(250 * length);
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let turn = 0; turn < 5; turn++) {
    collect();
    await new Promise((done) => setImmediate(done));
  }
  expect(addressSpace() - before).toBeLessThan(250 * length);
});

/** Bytes of addresses that this process has in use. */
function addressSpace(): number {
  const status = readFileSync("/proc/self/status", "latin1");
  return Number(/^VmSize:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
