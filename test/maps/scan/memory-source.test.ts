import { describe, expect, it } from "vitest";
import { ArrayMemory } from "#dist/kernel/index.js";
import { CreateFlag } from "#dist/maps/map-spec.js";
import { BatchSource } from "#dist/maps/scan/batch-source.js";
import { openSource } from "#dist/maps/scan/element-source.js";
import { MemorySource } from "#dist/maps/scan/memory-source.js";
import { byKey, range } from "../support/elements.js";
import { Hand, makeMap, type Shape } from "../support/kernel-map.js";
import { startWalk, walk } from "../support/walk.js";

const OPTIONS = { stretch: 64, dedupMemoryBytes: 1 << 20, maxRestarts: 1 };

function mappableArray(shape: Shape = {}) {
  return makeMap("ARRAY", { flags: CreateFlag.MMAPABLE, ...shape });
}

describe("a walk over a BPF_F_MMAPABLE array", () => {
  it.each([1, 4, 8, 12, 16, 4099])("sees values of %i bytes through memory", (valueSize) => {
    const map = mappableArray({ valueSize, maxEntries: 200 });
    const hand = new Hand(map);
    const elements = range(map.layout, 0, 200);
    for (const [key, value] of elements) hand.update(key, value);
    const source = startWalk("by batch", map.target);
    expect(source).toBeInstanceOf(MemorySource);
    const seen = walk(source, map.target);
    expect(seen).toHaveLength(200);
    expect(byKey(seen)).toEqual(byKey(elements));
  });

  it("gives stretches that do not change while others write", () => {
    const map = mappableArray({ maxEntries: 8 });
    const source = startWalk("by batch", map.target);
    source.next();
    const memory = ArrayMemory.open(map.fd, { writable: true });
    memory.bytes.fill(1);
    expect(source.values.subarray(0, 64)).toEqual(Buffer.alloc(64));
    memory.unmap();
  });

  it("reads by batch where the kernel does not map it", () => {
    const map = makeMap("ARRAY", { maxEntries: 8 });
    const source = openSource({ ...map.target, isMappable: true }, OPTIONS);
    expect(source).toBeInstanceOf(BatchSource);
    source.release();
  });

  it("is by batch where the map was not made for it", () => {
    const map = makeMap("ARRAY", { maxEntries: 8 });
    expect(startWalk("by batch", map.target)).toBeInstanceOf(BatchSource);
  });
});
