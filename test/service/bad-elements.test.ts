import { status } from "@bpfmapd/client";
import { CpuFold } from "@bpfmapd/client/proto";
import { afterAll, beforeAll, describe, it } from "vitest";
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
import { prefix, u32 } from "./support/elements.js";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.set();
});
afterAll(() => stage?.dispose());

const keyWrong = invalid("KEY_SIZE_MISMATCH", "keys");
const key = (size: number) => Buffer.alloc(size, 7);

type KeysRpc = "lookupElements" | "deleteElements" | "takeElements";
const byKeys =
  (rpc: KeysRpc, map: StageMap, keys: Uint8Array, count: number, more: object = {}) =>
  (s: Stage) =>
    s.client.maps[rpc]({ map: s.ref(map), keys, count, ...more });

describe.each(["lookupElements", "deleteElements", "takeElements"] as const)("%s", (rpc) => {
  const calls: BadCall[] = [
    ["a key too short", byKeys(rpc, "hash", key(3), 1), keyWrong, "hash"],
    ["a key too long", byKeys(rpc, "hash", key(5), 1), keyWrong, "hash"],
    ["one key as long as two", byKeys(rpc, "hash", key(8), 1), keyWrong, "hash"],
    ["two keys with a count of three", byKeys(rpc, "hash", key(8), 3), keyWrong, "hash"],
    ["a key and a half", byKeys(rpc, "hash", key(6), 1), keyWrong, "hash"],
    ["a count of 4,294,967,295", byKeys(rpc, "hash", key(4), 0xffffffff), keyWrong, "hash"],
    ["a count of zero", byKeys(rpc, "hash", key(4), 0), invalidField("count")],
    ["no keys", byKeys(rpc, "hash", key(0), 1), invalidField("")],
    [
      "an OnError that is none",
      byKeys(rpc, "hash", key(4), 1, { onError: 9 }),
      invalidField("on_error"),
    ],
    ["a queue, which has no keys", byKeys(rpc, "queue", key(4), 1), notSupported, "queue"],
    ["a bloom filter, which has no keys", byKeys(rpc, "bloom", key(4), 1), notSupported, "bloom"],
    [
      "a key that is not there",
      byKeys(rpc, "hash", Buffer.from("0123"), 1),
      refusal(status.NOT_FOUND, "ELEMENT_NOT_FOUND"),
      "hash",
    ],
  ];
  it.each(titled(calls))("refuses %s", (_, call) => stage.expectRefused(call));
});

describe("LookupElements", () => {
  const look = (map: StageMap, keys: Uint8Array, more: object = {}) =>
    byKeys("lookupElements", map, keys, 1, more);
  const cpu = (value: number) => ({ cpuView: { view: { case: "cpu", value } } });
  const fold = (value: number) => ({ cpuView: { view: { case: "fold", value } } });
  const tooMany = Buffer.alloc(4 * 300);
  const calls: BadCall[] = [
    [
      "an index at max_entries",
      look("array", u32(4)),
      invalid("KEY_OUT_OF_RANGE", "keys"),
      "array",
    ],
    [
      "the largest index",
      look("array", u32(0xffffffff)),
      invalid("KEY_OUT_OF_RANGE", "keys"),
      "array",
    ],
    [
      "a prefix of 33 bits",
      look("trie", prefix(33, [])),
      invalid("KEY_OUT_OF_RANGE", "keys"),
      "trie",
    ],
    [
      "CPU 4096",
      look("percpu", key(4), cpu(4096)),
      invalid("CPU_OUT_OF_RANGE", "cpu_view.cpu"),
      "percpu",
    ],
    [
      "a CPU of a map that is not per-CPU",
      look("hash", key(4), cpu(0)),
      invalidField("cpu_view"),
      "hash",
    ],
    [
      "a fold of a map that is not per-CPU",
      look("hash", key(4), fold(1)),
      invalidField("cpu_view"),
      "hash",
    ],
    [
      "12 bytes folded in words of 8",
      look("percpu", key(4), fold(CpuFold.SUM_U64)),
      invalid("VALUE_SIZE_MISMATCH", "cpu_view.fold"),
      "percpu",
    ],
    ["a fold that is none", look("percpu", key(4), fold(9)), invalidField("cpu_view.fold")],
    ["the fold UNSPECIFIED", look("percpu", key(4), fold(0)), invalidField("cpu_view.fold")],
    ["a view of nothing", look("percpu", key(4), { cpuView: {} }), invalidField("cpu_view.view")],
    [
      "a lock without a spin lock",
      look("hash", key(4), { lock: true }),
      invalidField("lock"),
      "hash",
    ],
    [
      "an answer past the message limit",
      byKeys("lookupElements", "wide", tooMany, 300),
      refusal(status.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED", "keys"),
      "wide",
    ],
  ];
  it.each(titled(calls))("refuses %s", (_, call) => stage.expectRefused(call));
});

describe("other calls", () => {
  const push =
    (map: StageMap, values: Uint8Array, count: number, more: object = {}) =>
    (s: Stage) =>
      s.client.maps.pushElements({ map: s.ref(map), values, count, ...more });
  const values = invalid("VALUE_SIZE_MISMATCH", "values");
  const calls: BadCall[] = [
    [
      "DeleteElements of an array",
      byKeys("deleteElements", "array", u32(0), 1),
      notSupported,
      "array",
    ],
    [
      "DeleteElements of a frozen map",
      (s) => s.handle("frozenHash").delete(key(4)),
      frozen,
      "frozenHash",
    ],
    [
      "DeleteElements of a prefix of 33 bits",
      byKeys("deleteElements", "trie", prefix(33, []), 1),
      invalid("KEY_OUT_OF_RANGE", "keys"),
      "trie",
    ],
    ["TakeElements of an array", byKeys("takeElements", "array", u32(0), 1), notSupported, "array"],
    [
      "TakeElements of a trie",
      byKeys("takeElements", "trie", prefix(0, []), 1),
      notSupported,
      "trie",
    ],
    [
      "TakeElements of a frozen map",
      (s) => s.handle("frozenHash").take(key(4)),
      frozen,
      "frozenHash",
    ],
    [
      "NextKey after a key too short",
      (s) => s.handle("hash").nextKey(key(3)),
      invalid("KEY_SIZE_MISMATCH", "key"),
      "hash",
    ],
    [
      "NextKey after an empty key",
      (s) => s.handle("hash").nextKey(key(0)),
      invalid("KEY_SIZE_MISMATCH", "key"),
      "hash",
    ],
    ["NextKey of a queue", (s) => s.handle("queue").nextKey(), notSupported, "queue"],
    ["PushElements with a value too short", push("queue", key(7), 1), values, "queue"],
    ["PushElements with one value as long as two", push("queue", key(16), 1), values, "queue"],
    ["PushElements with a count too large", push("stack", key(8), 2), values, "stack"],
    ["PushElements with a count of zero", push("queue", key(8), 0), invalidField("count")],
    ["PushElements without values", push("queue", key(0), 1), invalidField("")],
    [
      "PushElements to a bloom filter with a value too long",
      push("bloom", key(9), 1),
      values,
      "bloom",
    ],
    ["PushElements past the end of a queue", push("fullQueue", key(8), 1), full, "fullQueue"],
    ["PushElements to a frozen queue", push("frozenQueue", key(8), 1), frozen, "frozenQueue"],
    ["PushElements to a hash", push("hash", key(8), 1), notSupported, "hash"],
    [
      "PushElements with overwrite_oldest to a bloom filter",
      push("bloom", key(8), 1, { overwriteOldest: true }),
      invalidField("overwrite_oldest"),
      "bloom",
    ],
    ["PopElements of a hash", (s) => s.handle("hash").pop(), notSupported, "hash"],
    ["PopElements of a bloom filter", (s) => s.handle("bloom").pop(), notSupported, "bloom"],
    ["PopElements of a frozen queue", (s) => s.handle("frozenQueue").pop(), frozen, "frozenQueue"],
    ["PeekElement of a hash", (s) => s.handle("hash").peek(), notSupported, "hash"],
    [
      "PeekElement of a bloom filter without a value",
      (s) => s.handle("bloom").peek(),
      invalidField("value"),
      "bloom",
    ],
    [
      "PeekElement of a bloom filter with a value too long",
      (s) => s.handle("bloom").mayContain(key(9)),
      invalid("VALUE_SIZE_MISMATCH", "value"),
      "bloom",
    ],
    [
      "PeekElement of a queue with a value",
      (s) => s.handle("queue").mayContain(key(8)),
      invalidField("value"),
      "queue",
    ],
    ["FreezeMap of a frozen map", (s) => s.handle("frozenHash").freeze(), frozen, "frozenHash"],
    ["ClearMap of a frozen map", (s) => s.handle("frozenHash").clear(), frozen, "frozenHash"],
    ["ClearMap of a frozen queue", (s) => s.handle("frozenQueue").clear(), frozen, "frozenQueue"],
    ["ClearMap of a bloom filter", (s) => s.handle("bloom").clear(), notSupported, "bloom"],
    ["CountElements of a queue", (s) => s.handle("queue").count(), notSupported, "queue"],
    ["CountElements of a bloom filter", (s) => s.handle("bloom").count(), notSupported, "bloom"],
  ];
  it.each(titled(calls))("refuses %s", (_, call) => stage.expectRefused(call));
});
