import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { LazyMemory, pageSize } from "#dist/kernel/index.js";

const MIB = 1 << 20;

/** Bytes of anonymous memory that this process has room for. */
function room(): number {
  const status = readFileSync("/proc/self/status", "latin1");
  return Number(/^RssAnon:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

it("takes room only where it is written, and gives back what is trimmed", () => {
  const before = room();
  const memory = LazyMemory.take(1 << 30);
  expect(memory.bytes.length).toBe(1 << 30);
  expect(room() - before).toBeLessThan(64 * MIB);
  memory.bytes.fill(1, 0, 128 * MIB);
  expect(room() - before).toBeGreaterThan(100 * MIB);
  memory.trim(pageSize() + 1);
  expect(room() - before).toBeLessThan(64 * MIB);
  expect([...memory.bytes.subarray(0, 2 * pageSize())].every((byte) => byte === 1)).toBe(true);
  expect(memory.bytes[2 * pageSize()]).toBe(0);
});

it("is empty after its release, and can be read and written", () => {
  const memory = LazyMemory.take(5000);
  memory.bytes.fill(1);
  memory.release();
  expect(memory.bytes.every((byte) => byte === 0)).toBe(true);
  memory.bytes[4999] = 2;
  memory.trim(5000);
  expect(memory.bytes[4999]).toBe(2);
});

it("of more bytes than a buffer can have is refused", () => {
  expect(() => LazyMemory.take(2 ** 50)).toThrow("no memory");
});
