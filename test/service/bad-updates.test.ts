import { status } from "@bpfmapd/client";
import { OnError, UpdateMode } from "@bpfmapd/client/proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type BadCall,
  frozen,
  full,
  invalid,
  invalidField,
  notSupported,
  refusal,
  Stage,
  type StageMap,
  titled,
} from "./support/bad-input.js";
import { prefix, u32, u64 } from "./support/elements.js";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.set();
});
afterAll(() => stage?.dispose());

const key = (size: number) => Buffer.alloc(size, 7);

const write =
  (map: StageMap, keys: Uint8Array, values: Uint8Array, count: number, more: object = {}) =>
  (s: Stage) =>
    s.client.maps.updateElements({ map: s.ref(map), elements: { count, keys, values }, ...more });

describe("UpdateElements", () => {
  const elementKeys = invalid("KEY_SIZE_MISMATCH", "elements.keys");
  const elementValues = invalid("VALUE_SIZE_MISMATCH", "elements.values");
  const [k, v] = [key(4), u64(9)];
  const one = (map: StageMap, more: object) => write(map, k, v, 1, more);
  const target = (target: object) => ({ cpuTarget: { target } });
  const calls: BadCall[] = [
    ["a key too short", write("hash", key(3), v, 1), elementKeys, "hash"],
    ["one key as long as two", write("hash", key(8), v, 1), elementKeys, "hash"],
    ["keys for a map without", write("queue", k, v, 1), notSupported, "queue"],
    ["no keys", write("hash", key(0), v, 1), elementKeys, "hash"],
    ["a value too short", write("hash", k, key(7), 1), elementValues, "hash"],
    ["a value too long", write("hash", k, key(9), 1), elementValues, "hash"],
    ["one value as long as two", write("hash", k, key(16), 1), elementValues, "hash"],
    ["no value", write("hash", k, key(0), 1), elementValues, "hash"],
    ["two keys and one value", write("hash", key(8), v, 2), elementValues, "hash"],
    ["two elements with a count of one", write("hash", key(8), key(16), 1), elementKeys, "hash"],
    ["one CPU's value for all", write("percpu", k, key(12), 1), elementValues, "percpu"],
    [
      "no elements",
      (s) => s.client.maps.updateElements({ map: s.ref("hash") }),
      invalidField("elements"),
    ],
    ["a count of zero", write("hash", key(0), key(0), 0), invalidField("elements.count"), "hash"],
    [
      "an index at max_entries",
      write("array", u32(4), v, 1),
      invalid("KEY_OUT_OF_RANGE", "elements.keys"),
      "array",
    ],
    [
      "a good index before one out of range",
      write("array", Buffer.concat([u32(1), u32(4)]), key(16), 2),
      invalid("KEY_OUT_OF_RANGE", "elements.keys"),
      "array",
    ],
    [
      "a prefix of 33 bits",
      write("trie", prefix(33, [1]), v, 1),
      invalid("KEY_OUT_OF_RANGE", "elements.keys"),
      "trie",
    ],
    ["a mode that is none", one("hash", { mode: 7 }), invalidField("mode")],
    ["an OnError that is none", one("hash", { onError: 7 }), invalidField("on_error")],
    ["a lock without a spin lock", one("hash", { lock: true }), invalidField("lock"), "hash"],
    [
      "CPU 4096",
      write("percpu", k, key(12), 1, target({ case: "cpu", value: 4096 })),
      invalid("CPU_OUT_OF_RANGE", "cpu_target.cpu"),
      "percpu",
    ],
    [
      "a CPU of a map that is not per-CPU",
      one("hash", target({ case: "cpu", value: 0 })),
      invalidField("cpu_target"),
      "hash",
    ],
    [
      "all CPUs of a map that is not per-CPU",
      one("hash", target({ case: "allCpus", value: true })),
      invalidField("cpu_target"),
      "hash",
    ],
    [
      "not all CPUs",
      one("percpu", target({ case: "allCpus", value: false })),
      invalidField("cpu_target.all_cpus"),
    ],
    [
      "a whole value for one CPU",
      write("percpu", k, key(32), 1, target({ case: "cpu", value: 0 })),
      elementValues,
      "percpu",
    ],
    ["an element more than fits", one("fullHash", {}), full, "fullHash"],
    ["a prefix more than fits", write("fullTrie", prefix(9, [1, 128]), v, 1), full, "fullTrie"],
    [
      "a key that is not there, to be changed",
      one("hash", { mode: UpdateMode.EXIST }),
      refusal(status.NOT_FOUND, "ELEMENT_NOT_FOUND"),
      "hash",
    ],
    [
      "a key that is there, to be added",
      (s) => write("hash", s.element[0], v, 1, { mode: UpdateMode.NOEXIST })(s),
      refusal(status.ALREADY_EXISTS, "ELEMENT_EXISTS"),
      "hash",
    ],
    [
      "an index to be added, as all are there",
      write("array", u32(1), v, 1, { mode: UpdateMode.NOEXIST }),
      refusal(status.ALREADY_EXISTS, "ELEMENT_EXISTS"),
      "array",
    ],
    ["a change to a frozen map", one("frozenHash", {}), frozen, "frozenHash"],
    [
      "many changes to a frozen map",
      write("frozenHash", Buffer.from("00010002"), key(16), 2),
      frozen,
      "frozenHash",
    ],
  ];
  it.each(titled(calls))("refuses %s", (_, call) => stage.expectRefused(call));
});

describe("with ON_ERROR_STOP", () => {
  it("tells which element was refused, and how many were done before it", async () => {
    const handle = stage.handle("hash");
    const [there, value] = stage.element;
    const missing = stage.missing;
    const stopped = { metadata: { index: "1", applied: "1" }, reason: "ELEMENT_NOT_FOUND" };
    const keys = Buffer.concat([there, missing, there]);
    const request = { map: handle.ref, keys, count: 3, onError: OnError.STOP };
    await expect(stage.client.maps.lookupElements(request)).rejects.toMatchObject(stopped);
    await expect(stage.client.maps.deleteElements(request)).rejects.toMatchObject(stopped);
    expect(await handle.lookup(there)).toBeUndefined();
    await handle.update(there, value);
  });

  it("keeps what a full map had room for", async () => {
    const handle = stage.handle("fullTrie");
    await handle.delete(prefix(32, [0, 0, 0, 1]));
    const elements = [1, 2, 3].map((n) => [prefix(16, [n]), u64(n)] as [Buffer, Buffer]);
    await expect(handle.updateMany(elements)).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      reason: "MAP_FULL",
      metadata: { index: "1", applied: "1" },
    });
    expect((await handle.count()).count).toBe(2n);
  });
});

describe("with ON_ERROR_CONTINUE", () => {
  it("does the rest and lists what was refused", async () => {
    const handle = stage.handle("array");
    const missing = stage.missing;
    const { failures, elements } = await stage.client.maps.lookupElements({
      map: stage.ref("percpu"),
      keys: Buffer.concat([missing, key(4)]),
      count: 2,
      onError: OnError.CONTINUE,
    });
    expect(failures.map(({ index }) => index)).toEqual([0, 1]);
    expect(elements!.count).toBe(2);
    const noexist = { mode: UpdateMode.NOEXIST, onError: OnError.CONTINUE };
    const answer = await handle.updateMany(
      [
        [u32(0), u64(1)],
        [u32(1), u64(2)],
      ],
      noexist,
    );
    expect(answer.applied).toBe(0);
    expect(answer.failures.map(({ index }) => index)).toEqual([0, 1]);
  });

  it("still fails where the reason lies in the map", async () => {
    const onError = OnError.CONTINUE;
    const elements: [Buffer, Buffer][] = [
      [key(4), u64(1)],
      [Buffer.from("abcd"), u64(2)],
    ];
    await expect(
      stage.handle("frozenHash").updateMany(elements, { onError }),
    ).rejects.toMatchObject({
      reason: "MAP_FROZEN",
      metadata: { index: "0", applied: "0" },
    });
  });
});
