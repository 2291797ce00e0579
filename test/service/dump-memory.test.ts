import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { makeMap, type PlainMap, shapeOf } from "./support/plain-map.js";

const ELEMENTS = 50_000;

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

/** A map each of whose keys and values tells that it is of this map. */
async function marked(mark: number): Promise<PlainMap> {
  const map = await makeMap(
    daemon,
    shapeOf("HASH", { keySize: 8, valueSize: 24, maxEntries: ELEMENTS }),
  );
  await map.handle.load(
    Array.from({ length: ELEMENTS }, (_, index): [Buffer, Buffer] => {
      const key = Buffer.alloc(8, mark);
      key.writeUInt32LE(index);
      return [key, Buffer.alloc(24, mark)];
    }),
  );
  return map;
}

/** Dumps, slowly or not; leaves after some chunks, or answers how many elements came. */
async function dump(map: PlainMap, mark: number, { pauseMs = 0, leaveAfter = Infinity }) {
  let count = 0;
  let chunks = 0;
  for await (const chunk of map.handle.dump({ chunkBytes: 64 * 1024 }).chunks()) {
    if (pauseMs > 0) await sleep(pauseMs);
    expect(chunk.keys.length).toBe(8 * chunk.count);
    expect(Buffer.alloc(24 * chunk.count, mark).equals(chunk.values)).toBe(true);
    const keys = Buffer.from(chunk.keys);
    for (let at = 4; at < keys.length; at += 8) {
      if (keys.readUInt32LE(at) !== 0x01010101 * mark) expect.fail(`a key at ${at}`);
    }
    count += chunk.count;
    if (++chunks === leaveAfter) return undefined;
  }
  return count;
}

it("memory that dumps send again and again has what the dump is of, whoever else leaves in the middle", async () => {
  const marks = [1, 2, 3];
  const maps = await Promise.all(marks.map(marked));
  for (let round = 0; round < 5; round++) {
    const dumps = marks.flatMap((mark, index) => {
      const map = maps[index] as PlainMap;
      return [
        dump(map, mark, {}),
        dump(map, mark, { pauseMs: 1 }),
        dump(map, mark, { leaveAfter: 1 + round }),
        dump(map, mark, { pauseMs: 2, leaveAfter: 3 + round }),
      ];
    });
    const counts = await Promise.all(dumps);
    const whole = counts.filter((count) => count !== undefined);
    expect(whole).toEqual(Array.from({ length: 2 * marks.length }, () => ELEMENTS));
  }
});
