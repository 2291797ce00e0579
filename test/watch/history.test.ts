import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { ChangeLog, changesBuffers } from "#dist/watch/changes.js";

const FILL = join(import.meta.dirname, "support/fill-history.mjs");

describe("changes", () => {
  const logOf = (elements: number) => {
    const log = new ChangeLog(4, 8);
    const value = { values: Buffer.alloc(8, 7), at: 0 };
    for (let index = 0; index < elements; index++) {
      const key = Buffer.alloc(4);
      key.writeUInt32LE(index);
      if (index % 2) log.delete(key, 0, value);
      else log.put(key, 0, value, "absent");
    }
    return log.take();
  };

  it("of few elements lie in one memory", () => {
    const changes = logOf(2);
    expect(changesBuffers(changes)).toEqual([changes.puts.keys.buffer]);
    expect(changes.puts).toEqual({
      count: 1,
      keys: Buffer.alloc(4),
      values: Buffer.alloc(8, 7),
      previous: Buffer.alloc(8),
      before: Buffer.of(2),
    });
    expect(changes.deletes).toEqual({
      count: 1,
      keys: Buffer.of(1, 0, 0, 0),
      previous: Buffer.alloc(8, 7),
      before: Buffer.of(1),
    });
  });

  it("of many elements are not copied to lie in one memory", () => {
    expect(changesBuffers(logOf(10_000))).toHaveLength(7);
  });
});

describe("a history", () => {
  it("of changes of one element each takes the memory that it may, not twice as much", async () => {
    const args = ["--expose-gc", FILL];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const { part } = JSON.parse(stdout) as { part: number };
    expect(part).toBeGreaterThan(0.6);
    expect(part).toBeLessThan(1.3);
  });
});
