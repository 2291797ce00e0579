import { BpfmapError, type MapRefInit, status } from "@bpfmapd/client";
import { MapType, Projection, WatchFidelity, WatchSource } from "@bpfmapd/client/proto";
import { beforeAll, describe, expect, it } from "vitest";
import { prefix, u32 } from "../service/support/elements.js";
import { makeMap, shapeOf, uniqueName } from "../service/support/plain-map.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { WatchReader, watchRequest } from "./support/watch-reader.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

async function refusal(ref: MapRefInit, more: object): Promise<BpfmapError> {
  const watch = new WatchReader(daemon.client, watchRequest(ref, more));
  return watch.next().then(() => expect.fail("it was not refused"), BpfmapError.from);
}

const YEAR = { seconds: 31_536_000n };

const HASH_REQUESTS: readonly [what: string, request: object, field: string][] = [
  ["a poll interval of zero", { pollInterval: {} }, "poll_interval"],
  ["a negative poll interval", { pollInterval: { seconds: -1n } }, "poll_interval"],
  ["a poll interval of a year", { pollInterval: YEAR }, "poll_interval"],
  ["a bookmark interval of zero", { bookmarkInterval: {} }, "bookmark_interval"],
  ["a bookmark interval of a year", { bookmarkInterval: YEAR }, "bookmark_interval"],
  ["values without keys", { projection: Projection.VALUES }, "projection"],
  ["a prefix longer than the key", { filter: { keyPrefix: Buffer.alloc(5) } }, "filter.key_prefix"],
  [
    "a range of longer keys",
    { filter: { keyRange: { start: Buffer.alloc(5) } } },
    "filter.key_range.start",
  ],
  ["keys that are cut", { filter: { keys: Buffer.alloc(7) } }, "filter.keys"],
  ["a cover for keys that are no prefixes", { filter: { coveredBy: u32(1) } }, "filter.covered_by"],
  ["a view of a map without CPUs", { cpuView: { view: { case: "cpu", value: 0 } } }, "cpu_view"],
  ["an empty token", { start: { case: "resumeToken", value: Buffer.alloc(0) } }, "resume_token"],
];

describe("a watch of a hash map", () => {
  it.each(HASH_REQUESTS)("with %s is refused with INVALID_ARGUMENT", async (_, request, field) => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    const error = await refusal({ id: map.id }, request);
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.violations.map((one) => one.field)).toContain(field);
  });

  it("with EVERY_CALL traces it, or is refused with why and what to ask for instead", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    const fidelity = WatchFidelity.EVERY_CALL;
    const watch = new WatchReader(daemon.client, watchRequest({ id: map.id }, { fidelity }));
    const outcome = await watch.until("created").catch(BpfmapError.from);
    if (!(outcome instanceof BpfmapError)) {
      expect(outcome.source).toBe(WatchSource.TRACE);
      return;
    }
    expect(outcome).toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: "FIDELITY_NOT_AVAILABLE",
    });
    expect(outcome.message).toContain("BEST_AVAILABLE");
  });

  it("with BEST_AVAILABLE gets EVERY_CALL, or LATEST and why not more", async () => {
    const map = await makeMap(daemon, shapeOf("HASH"));
    const fidelity = WatchFidelity.BEST_AVAILABLE;
    const watch = new WatchReader(daemon.client, watchRequest({ id: map.id }, { fidelity }));
    const created = await watch.until("created");
    const isTraced = created.source === WatchSource.TRACE;
    expect(created.fidelity).toBe(isTraced ? WatchFidelity.EVERY_CALL : WatchFidelity.LATEST);
    expect(created.sourceReason === "").toBe(isTraced);
  });
});

describe("a watch of a trie", () => {
  it.each([
    ["of another size", Buffer.alloc(4)],
    ["that is longer than its data", prefix(33, [])],
  ])("with a cover %s is refused", async (_, coveredBy) => {
    const map = await makeMap(daemon, shapeOf("LPM_TRIE"));
    const error = await refusal({ id: map.id }, { filter: { coveredBy } });
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.violations.map((one) => one.field)).toContain("filter.covered_by");
  });
});

const UNWATCHED = [
  [MapType.RINGBUF, "ReadRecords", { keySize: 0, valueSize: 0, maxEntries: 4096 }],
  [MapType.PERF_EVENT_ARRAY, "ReadRecords", { keySize: 4, valueSize: 4, maxEntries: 2 }],
  [MapType.QUEUE, "PopElements", { keySize: 0, valueSize: 4, maxEntries: 4 }],
  [MapType.STACK, "PopElements", { keySize: 0, valueSize: 4, maxEntries: 4 }],
  [MapType.BLOOM_FILTER, "", { keySize: 0, valueSize: 4, maxEntries: 4 }],
] as const;

describe("a map of type", () => {
  it.each(UNWATCHED)("%i is not watched; the refusal names %s", async (type, rpc, sizes) => {
    const name = uniqueName();
    await daemon.client.maps.createMap({ spec: { type, name, ...sizes }, hold: { name } });
    const error = await refusal({ held: name }, {});
    expect(error).toMatchObject({
      code: status.UNIMPLEMENTED,
      reason: "OPERATION_NOT_SUPPORTED",
    });
    expect(error.message).toContain(rpc);
    await daemon.client.maps.releaseMap({ name });
  });
});
