import { describe, expect, it, onTestFinished } from "vitest";
import {
  BatchCalls,
  closeFd,
  ElementCalls,
  KernelError,
  mapCreate,
  mapFdinfo,
  mapFreeze,
  mapInfo,
  possibleCpus,
} from "#dist/kernel/index.js";
import { CapabilityTable, type MapOperation } from "#dist/maps/capability-table.js";
import { isKeyless, layoutOf } from "#dist/maps/map-layout.js";
import { MapType } from "#dist/maps/map-type.js";

/*
 * The probe tries operations with as little as it can. Here each is done in earnest, on
 * real elements: what the table promises must work, and what it does not must fail.
 */

const PLAIN = [
  "HASH",
  "ARRAY",
  "PERCPU_HASH",
  "PERCPU_ARRAY",
  "LRU_HASH",
  "LRU_PERCPU_HASH",
  "LPM_TRIE",
  "QUEUE",
  "STACK",
  "BLOOM_FILTER",
] as const;

type Plain = (typeof PLAIN)[number];

const table = CapabilityTable.probe();
const ENTRIES = 4;
/** Hashes answer by bucket, so a batch needs room for more than there is. */
const ROOM = 64;

describe.each(PLAIN)("a map of type %s", (type) => {
  const supports = (operation: MapOperation) => table.supports(MapType[type], operation);

  it("can look up what was updated, exactly where the table says so", () => {
    const { calls } = filled(type);
    expect(answered(calls.lookup())).toBe(supports("lookup"));
    expect(answered(calls.update())).toBe(supports("update"));
  });

  it("finds the next key, exactly where the table says so", () => {
    const { calls } = filled(type);
    expect(answered(calls.firstKey())).toBe(supports("next_key"));
  });

  it("looks up and deletes in one, exactly where the table says so", () => {
    const { calls } = filled(type);
    expect(answered(calls.lookupAndDelete())).toBe(supports("lookup_and_delete"));
  });

  it("deletes, exactly where the table says so", () => {
    const { calls } = filled(type);
    expect(answered(calls.delete())).toBe(supports("delete"));
  });

  it("reads all elements in a batch, exactly where the table says so", () => {
    const { batch } = filled(type);
    const errno = batch.lookup();
    expect(errno === undefined || errno === "ENOENT").toBe(supports("lookup_batch"));
    if (supports("lookup_batch")) expect(batch.count).toBe(ENTRIES);
  });

  it("reads and deletes all elements in a batch, exactly where the table says so", () => {
    const { batch, calls } = filled(type);
    const errno = batch.lookupAndDelete();
    expect(errno === undefined || errno === "ENOENT").toBe(supports("lookup_and_delete_batch"));
    if (!supports("lookup_and_delete_batch")) return;
    expect(batch.count).toBe(ENTRIES);
    expect(calls.firstKey()).toBe("ENOENT");
  });

  it("updates a batch of elements, exactly where the table says so", () => {
    const { batch, layout } = filled(type);
    fillColumns(batch, type, layout.keySize);
    batch.values.fill(9);
    const errno = batch.update(ENTRIES);
    expect(errno === undefined).toBe(supports("update_batch"));
    if (supports("update_batch")) expect(batch.count).toBe(ENTRIES);
  });

  it("deletes a batch of elements, exactly where the table says so", () => {
    const { batch, layout } = filled(type);
    fillColumns(batch, type, layout.keySize);
    expect(batch.delete(ENTRIES) === undefined).toBe(supports("delete_batch"));
  });

  it("can be frozen, exactly where the table says so", () => {
    const { fd, calls } = filled(type);
    expect(freezes(fd)).toBe(supports("freeze"));
    if (!supports("freeze")) return;
    expect(mapFdinfo(fd).frozen).toBe(true);
    expect(calls.update()).toBe("EPERM");
  });
});

describe("a single CPU's slot", () => {
  it.each(["PERCPU_HASH", "PERCPU_ARRAY", "LRU_PERCPU_HASH"] as const)(
    "of %s is written by the kernel, exactly where the table says so",
    (type) => {
      const { calls } = filled(type);
      const CPU_FLAG = 8;
      const errno = calls.update(CPU_FLAG, possibleCpus()[0]);
      expect(errno === undefined).toBe(table.of(MapType[type])?.singleCpuWrite === "kernel");
    },
  );
});

/** A full map of the test's own, with calls that name its first element. */
function filled(type: Plain) {
  const keyless = isKeyless(MapType[type]);
  const trie = type === "LPM_TRIE";
  const fd = mapCreate({
    type: MapType[type],
    keySize: keyless ? 0 : trie ? 8 : 4,
    valueSize: 8,
    maxEntries: ENTRIES,
    flags: trie ? 1 : 0,
  });
  onTestFinished(() => closeFd(fd));
  const layout = layoutOf(mapInfo(fd), possibleCpus());
  const calls = new ElementCalls(fd, layout.keySize, layout.valueStride);
  onTestFinished(() => calls.release());
  const batch = new BatchCalls(fd, layout.keySize, layout.valueStride, ROOM);
  onTestFinished(() => batch.release());
  // A queue keeps room for the update that is to come.
  const elements = type === "QUEUE" || type === "STACK" ? ENTRIES - 1 : ENTRIES;
  for (let index = elements - 1; index >= 0; index--) {
    calls.key.set(keyOf(type, index).subarray(0, layout.keySize));
    calls.value.fill(index + 1);
    expect(calls.update()).toBeUndefined();
  }
  return { fd, layout, calls, batch };
}

function fillColumns(batch: BatchCalls, type: Plain, keySize: number): void {
  for (let index = 0; index < ENTRIES; index++) {
    batch.keys.set(keyOf(type, index).subarray(0, keySize), index * keySize);
  }
}

function keyOf(type: Plain, index: number): Buffer {
  const key = Buffer.alloc(8);
  key.writeUInt32LE(type === "LPM_TRIE" ? 32 : index);
  key.writeUInt32BE(index, 4);
  return key;
}

function answered(errno: string | undefined): boolean {
  return errno === undefined;
}

function freezes(fd: number): boolean {
  try {
    mapFreeze(fd);
    return true;
  } catch (error) {
    if (error instanceof KernelError) return false;
    throw error;
  }
}
