import { mapRef, status } from "@bpfmapd/client";
import { LoadStrategy } from "@bpfmapd/client/proto";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
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
import { collect, prefix, streamOf, u32, u64 } from "./support/elements.js";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.set();
});
afterAll(() => stage?.dispose());

const limitExceeded = refusal(status.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED");

describe("DumpMap", () => {
  const dump = (map: StageMap, more: object) => (s: Stage) =>
    collect(s.client.maps.dumpMap({ map: s.ref(map), ...more }));
  const filter = (map: StageMap, parts: object) => dump(map, { filter: parts });
  const bytes = (size: number) => Buffer.alloc(size);
  const mask = (size: number, match = size) => ({
    valueMatch: { mask: bytes(size), match: bytes(match) },
  });
  const wrongKey = (field: string) => invalid("KEY_SIZE_MISMATCH", `filter.${field}`);
  const wrongValue = (field: string) =>
    invalid("VALUE_SIZE_MISMATCH", `filter.value_match.${field}`);
  const cpu = (value: number) => ({ cpuView: { view: { case: "cpu", value } } });
  const calls: BadCall[] = [
    ["a queue", dump("queue", {}), notSupported, "queue"],
    ["a bloom filter", dump("bloom", {}), notSupported, "bloom"],
    [
      "a prefix longer than keys",
      filter("hash", { keyPrefix: bytes(5) }),
      wrongKey("key_prefix"),
      "hash",
    ],
    [
      "a range from half a key",
      filter("hash", { keyRange: { start: bytes(2) } }),
      wrongKey("key_range.start"),
      "hash",
    ],
    [
      "a range to a key too long",
      filter("hash", { keyRange: { end: bytes(5) } }),
      wrongKey("key_range.end"),
      "hash",
    ],
    [
      "a range to an empty key",
      filter("hash", { keyRange: { end: bytes(0) } }),
      wrongKey("key_range.end"),
      "hash",
    ],
    ["a mask longer than values", filter("hash", mask(9)), wrongValue("mask"), "hash"],
    [
      "a mask longer than one CPU's value",
      filter("percpu", mask(13)),
      wrongValue("mask"),
      "percpu",
    ],
    ["a match shorter than its mask", filter("hash", mask(4, 3)), wrongValue("match"), "hash"],
    ["a mask of nothing", filter("hash", mask(0)), invalidField("filter.value_match.mask")],
    [
      "chunks of 4 MiB and a byte",
      dump("hash", { chunkBytes: 4194305 }),
      invalidField("chunk_bytes"),
    ],
    [
      "progress every 99 ms",
      dump("hash", { progressInterval: durationFromMs(99) }),
      invalidField("progress_interval"),
    ],
    [
      "progress every two hours",
      dump("hash", { progressInterval: durationFromMs(7_200_000) }),
      invalidField("progress_interval"),
    ],
    [
      "progress at a negative interval",
      dump("hash", { progressInterval: durationFromMs(-100) }),
      invalidField("progress_interval"),
    ],
    ["a projection that is none", dump("hash", { projection: 9 }), invalidField("projection")],
    ["a CPU of a map that is not per-CPU", dump("hash", cpu(0)), invalidField("cpu_view"), "hash"],
    ["CPU 4096", dump("percpu", cpu(4096)), invalid("CPU_OUT_OF_RANGE", "cpu_view.cpu"), "percpu"],
    [
      "a CPU of no values",
      dump("percpu", { ...cpu(0), projection: 2 }),
      invalidField("cpu_view"),
      "percpu",
    ],
    [
      "a fold of values of 12 bytes in words of 8",
      dump("percpu", { cpuView: { view: { case: "fold", value: 2 } } }),
      invalid("VALUE_SIZE_MISMATCH", "cpu_view.fold"),
      "percpu",
    ],
  ];
  it.each(titled(calls))("refuses %s", (_, call) => stage.expectRefused(call));
});

describe("CountElements", () => {
  const count = (map: StageMap, filter: object) => (s: Stage) => s.handle(map).count(filter);
  const calls: BadCall[] = [
    [
      "a prefix longer than keys",
      count("hash", { keyPrefix: Buffer.alloc(5) }),
      invalid("KEY_SIZE_MISMATCH", "filter.key_prefix"),
      "hash",
    ],
    [
      "a match longer than its mask",
      count("array", { valueMatch: { mask: Buffer.alloc(1), match: Buffer.alloc(2) } }),
      invalid("VALUE_SIZE_MISMATCH", "filter.value_match.match"),
      "array",
    ],
  ];
  it.each(titled(calls))("refuses %s", (_, call) => stage.expectRefused(call));
});

describe("LoadMap", () => {
  const load =
    (...messages: object[]) =>
    (s: Stage) =>
      s.client.maps.loadMap(streamOf(messages.map((kind) => ({ kind: kind as never }))));
  /** A load of one chunk. */
  const into =
    (map: StageMap, start: object, ...chunks: [count: number, keys: Buffer, values: Buffer][]) =>
    (s: Stage) =>
      load(
        { case: "start", value: { map: s.ref(map), ...start } },
        ...chunks.map(([count, keys, values]) => ({
          case: "elements",
          value: { count, keys, values },
        })),
      )(s);
  const one: [number, Buffer, Buffer] = [1, u32(9), u64(1)];
  const startOf = (s: Stage) => ({ case: "start", value: { map: s.ref("hash") } });
  const target = (target: object) => ({ cpuTarget: { target } });
  const replace = { strategy: LoadStrategy.REPLACE };
  const keyWrong = invalid("KEY_SIZE_MISMATCH", "elements.keys");
  const valueWrong = invalid("VALUE_SIZE_MISMATCH", "elements.values");
  const outOfRange = invalid("KEY_OUT_OF_RANGE", "elements.keys");
  const threeOf = (at: number): [number, Buffer, Buffer] => [
    3,
    Buffer.concat([at, at + 1, at + 2].map(u32)),
    Buffer.alloc(24),
  ];

  const calls: BadCall[] = [
    ["an empty stream", load(), invalidField("start")],
    ["elements before the start", load({ case: "elements", value: {} }), invalidField("start")],
    ["a message of nothing", load({ case: undefined }), invalidField("kind")],
    ["a start without a map", load({ case: "start", value: {} }), invalidField("start.map")],
    ["two starts", (s) => load(startOf(s), startOf(s))(s), invalidField("start"), "hash"],
    ["a strategy that is none", into("hash", { strategy: 9 }), invalidField("start.strategy")],
    ["a key too short", into("hash", {}, [1, Buffer.alloc(3), u64(1)]), keyWrong, "hash"],
    ["one key as long as two", into("hash", {}, [1, Buffer.alloc(8), u64(1)]), keyWrong, "hash"],
    ["a value too long", into("hash", {}, [1, u32(1), Buffer.alloc(9)]), valueWrong, "hash"],
    ["a count of zero with a key", into("hash", {}, [0, u32(1), u64(1)]), keyWrong, "hash"],
    [
      "a key too short, to replace",
      into("hash", replace, [1, Buffer.alloc(3), u64(1)]),
      keyWrong,
      "hash",
    ],
    [
      "a key too short, in a dry run",
      into("hash", { dryRun: true }, [1, Buffer.alloc(3), u64(1)]),
      keyWrong,
      "hash",
    ],
    ["an index at max_entries", into("array", {}, [1, u32(4), u64(1)]), outOfRange, "array"],
    [
      "an index at max_entries, to replace",
      into("array", replace, [1, u32(4), u64(1)]),
      outOfRange,
      "array",
    ],
    ["a prefix of 33 bits", into("trie", {}, [1, prefix(33, []), u64(1)]), outOfRange, "trie"],
    [
      "one CPU",
      into("percpu", target({ case: "cpu", value: 0 })),
      invalidField("start.cpu_target.cpu"),
      "percpu",
    ],
    [
      "all CPUs of a map that is not per-CPU",
      into("hash", target({ case: "allCpus", value: true })),
      invalidField("start.cpu_target"),
      "hash",
    ],
    [
      "all CPUs of a queue",
      into("queue", target({ case: "allCpus", value: true })),
      invalidField("start.cpu_target"),
      "queue",
    ],
    [
      "one CPU's values for all CPUs",
      into("percpu", {}, [1, u32(1), Buffer.alloc(12)]),
      valueWrong,
      "percpu",
    ],
    [
      "whole values for one CPU's",
      into("percpu", target({ case: "allCpus", value: true }), [1, u32(1), Buffer.alloc(32)]),
      valueWrong,
      "percpu",
    ],
    ["to replace a queue", into("queue", replace), invalidField("start.strategy"), "queue"],
    [
      "a dry run on a stack",
      into("stack", { dryRun: true }),
      invalidField("start.dry_run"),
      "stack",
    ],
    [
      "a value of the wrong size for a queue",
      into("queue", {}, [1, Buffer.alloc(0), Buffer.alloc(7)]),
      valueWrong,
      "queue",
    ],
    ["a key for a queue", into("queue", {}, [1, u32(1), u64(1)]), keyWrong, "queue"],
    ["a frozen map", into("frozenHash", {}, one), frozen, "frozenHash"],
    ["to replace a frozen map", into("frozenHash", replace, one), frozen, "frozenHash"],
    ["to replace with more than fits", into("fullHash", replace, threeOf(50)), full, "fullHash"],
    ["more than a full hash has room for", into("fullHash", {}, one), full, "fullHash"],
    [
      "more than a full trie has room for",
      into("fullTrie", {}, [1, prefix(9, [3]), u64(1)]),
      full,
      "fullTrie",
    ],
    [
      "more than a full queue has room for",
      into("fullQueue", {}, [1, Buffer.alloc(0), u64(1)]),
      full,
      "fullQueue",
    ],
  ];
  it.each(titled(calls))("refuses %s", (_, call) => stage.expectRefused(call));

  it("keeps what came before the chunk at fault, and removes nothing", async () => {
    const bad: [number, Buffer, Buffer] = [1, Buffer.alloc(5), u64(1)];
    const good: [number, Buffer, Buffer] = [1, u32(77), u64(77)];
    const [there] = stage.element;
    await expect(into("hash", replace, good, bad)(stage)).rejects.toMatchObject(
      refusal(status.INVALID_ARGUMENT, "KEY_SIZE_MISMATCH"),
    );
    expect(await stage.handle("hash").lookup(u32(77))).toEqual(new Uint8Array(u64(77)));
    expect(await stage.handle("hash").lookup(there)).toBeDefined();
    await stage.handle("hash").delete(u32(77));
  });
});

describe("a message past the limit", () => {
  const big = Buffer.alloc(17 << 20);
  const calls: BadCall[] = [
    [
      "of LookupElements",
      (s) => s.client.maps.lookupElements({ map: s.ref("hash"), keys: big, count: 1 }),
      limitExceeded,
    ],
    ["of UpdateElements", (s) => s.handle("hash").update(u32(1), big), limitExceeded],
    [
      "of CreateMap",
      (s) => s.client.maps.createMap({ spec: { type: 1 }, initialElements: { keys: big } }),
      limitExceeded,
    ],
    ["of PushElements", (s) => s.handle("queue").push([big]), limitExceeded],
    [
      "of LoadMap",
      (s) =>
        s.client.maps.loadMap(
          streamOf([
            { kind: { case: "start" as const, value: { map: mapRef({ id: s.maps.hash.id }) } } },
            { kind: { case: "elements" as const, value: { keys: big } } },
          ]),
        ),
      limitExceeded,
    ],
  ];
  it.each(titled(calls))("%s is refused", (_, call) => stage.expectRefused(call));
});
