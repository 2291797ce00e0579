import { type Element, type LoadOptions, status } from "@bpfmapd/client";
import { type LoadMapRequest, LoadStrategy } from "@bpfmapd/client/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Behaviour, failure, serve } from "./support/canned-server.js";
import { deferred } from "./support/deferred.js";

const KEY_SIZE = 4;
const VALUE_SIZE = 6;
const STRIDE = 16;

const SIZES = { keySize: KEY_SIZE, valueSize: VALUE_SIZE, valueStride: STRIDE };

/** A server that keeps the requests of its only load, and what became of it. */
async function loadable(sizes = SIZES) {
  const requests: LoadMapRequest[] = [];
  const cancelled = deferred<void>();
  const behaviour: Behaviour = {
    getMap: (_call, callback) => callback(null, { map: { id: 1, ...sizes } }),
    loadMap: (call, callback) => {
      call.on("cancelled", cancelled.resolve);
      call.on("data", (request) => requests.push(request));
      call.on("end", () => callback(null, { received: BigInt(requests.length - 1) }));
    },
  };
  const { client } = await serve(behaviour);
  return { map: client.map({ id: 1 }), requests, cancelled: cancelled.promise };
}

function element(index: number, valueSize = STRIDE): Element {
  const key = Buffer.alloc(KEY_SIZE);
  key.writeUInt32LE(index);
  return [key, new Uint8Array(valueSize).fill(index)];
}

function* elements(count: number, valueSize = STRIDE): Generator<Element> {
  for (let index = 0; index < count; index += 1) yield element(index, valueSize);
}

async function* slowly<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) {
    await null;
    yield item;
  }
}

/** The columns that were sent, joined. */
function sent(requests: LoadMapRequest[]) {
  const chunks = requests.flatMap(({ kind }) => (kind.case === "elements" ? [kind.value] : []));
  return {
    counts: chunks.map(({ count }) => count),
    keys: Buffer.concat(chunks.map(({ keys }) => keys)),
    values: Buffer.concat(chunks.map(({ values }) => values)),
  };
}

describe("load", () => {
  it("sends the start, then every element in order, in chunks of about chunkBytes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: 60 }),
        fc.integer({ min: 1, max: 200 }),
        fc.boolean(),
        async (count, chunkBytes, asynchronous) => {
          const { map, requests } = await loadable();
          const source = asynchronous ? slowly(elements(count)) : elements(count);
          await map.load(source, { chunkBytes });
          expect(requests[0]?.kind.case).toBe("start");
          const { counts, keys, values } = sent(requests);
          const perChunk = Math.max(1, Math.floor(chunkBytes / (KEY_SIZE + STRIDE)));
          expect(counts.slice(0, -1).every((size) => size === perChunk)).toBe(true);
          expect(counts.reduce((sum, size) => sum + size, 0)).toBe(count);
          const all = [...elements(count)];
          expect(keys).toEqual(Buffer.concat(all.map(([key]) => key)));
          expect(values).toEqual(Buffer.concat(all.map(([, value]) => value)));
        },
      ),
      { numRuns: 25 },
    );
  });

  it("takes arrays and JavaScript Maps", async () => {
    const { map, requests } = await loadable();
    await map.load([element(1), element(2)]);
    await map.load(new Map([element(3)]));
    expect(sent(requests).counts).toEqual([2, 1]);
  });

  it("makes chunks of 256 KiB unless told otherwise", async () => {
    const { map, requests } = await loadable();
    const perChunk = Math.floor((256 * 1024) / (KEY_SIZE + STRIDE));
    await map.load(elements(perChunk + 1));
    expect(sent(requests).counts).toEqual([perChunk, 1]);
  });

  it("sends values whole where they are longer than a copy by hand is worth", async () => {
    const { map, requests } = await loadable({ ...SIZES, valueStride: 4000 });
    await map.load([element(7, 4000)]);
    expect(sent(requests).values).toEqual(Buffer.alloc(4000, 7));
  });

  it("sends values without keys to a map that has none", async () => {
    const { map, requests } = await loadable({ keySize: 0, valueSize: 2, valueStride: 2 });
    await map.load([
      [new Uint8Array(), Uint8Array.of(1, 2)],
      [new Uint8Array(), Uint8Array.of(3, 4)],
    ]);
    expect(sent(requests)).toEqual({
      counts: [2],
      keys: Buffer.alloc(0),
      values: Buffer.of(1, 2, 3, 4),
    });
  });

  it.each<[string, LoadOptions, object]>([
    ["as it is by default", {}, { strategy: LoadStrategy.UNSPECIFIED, dryRun: false }],
    [
      "that replaces, as a dry run",
      { strategy: LoadStrategy.REPLACE, dryRun: true },
      { strategy: LoadStrategy.REPLACE, dryRun: true },
    ],
  ])("starts a load %s", async (_what, options, start) => {
    const { map, requests } = await loadable();
    await map.load([], options);
    expect(requests).toHaveLength(1);
    expect(requests[0]?.kind).toMatchObject({
      case: "start",
      value: { map: { ref: { case: "id", value: 1 } }, ...start },
    });
  });

  it("takes values of value_size for all CPUs", async () => {
    const { map, requests } = await loadable();
    await map.load(elements(2, VALUE_SIZE), { allCpus: true });
    expect(requests[0]?.kind.value).toMatchObject({
      cpuTarget: { target: { case: "allCpus", value: true } },
    });
    expect(sent(requests).values).toHaveLength(2 * VALUE_SIZE);
  });

  it.each<[string, Element, string]>([
    ["a short key", [new Uint8Array(KEY_SIZE - 1), new Uint8Array(STRIDE)], "KEY_SIZE_MISMATCH"],
    ["a long key", [new Uint8Array(KEY_SIZE * 2), new Uint8Array(STRIDE)], "KEY_SIZE_MISMATCH"],
    [
      "a value of value_size where the stride is wanted",
      [new Uint8Array(KEY_SIZE), new Uint8Array(VALUE_SIZE)],
      "VALUE_SIZE_MISMATCH",
    ],
  ])("ends at %s, names it, and cancels the call", async (_what, wrong, reason) => {
    const { map, cancelled } = await loadable();
    async function* source() {
      // Many chunks, so that the call has reached the server.
      for (let index = 0; index < 1000; index += 1) {
        yield element(index);
        await null;
      }
      yield wrong;
    }
    await expect(map.load(source(), { chunkBytes: 1 })).rejects.toMatchObject({
      name: "BpfmapError",
      code: status.INVALID_ARGUMENT,
      reason,
      message: expect.stringMatching(/ 1000 has \d+ bytes; \d+ are needed/),
    });
    await cancelled;
  });

  it("passes on what the elements throw", async () => {
    const { map } = await loadable();
    const mine = new Error("mine");
    function* source() {
      yield element(0);
      throw mine;
    }
    await expect(map.load(source())).rejects.toBe(mine);
  });

  it("stops reading the elements when the daemon refuses a chunk, and ends their iterator", async () => {
    const { client } = await serve({
      getMap: (_call, callback) => callback(null, { map: SIZES }),
      loadMap: (call, callback) => {
        call.once("data", () => {
          callback(failure(status.RESOURCE_EXHAUSTED, "full", { reason: "MAP_FULL" }));
        });
      },
    });
    const ended = deferred<void>();
    function* source() {
      try {
        for (let index = 0; ; index += 1) yield element(index);
      } finally {
        ended.resolve();
      }
    }
    await expect(client.map({ id: 1 }).load(source())).rejects.toMatchObject({
      reason: "MAP_FULL",
    });
    await ended.promise;
  });

  it("reads no element where the map is not there", async () => {
    const { client } = await serve({
      getMap: (_call, callback) =>
        callback(failure(status.NOT_FOUND, "no map", { reason: "MAP_NOT_FOUND" })),
    });
    const source = () => ({
      [Symbol.iterator]: () => expect.unreachable("no element was to be read"),
    });
    await expect(client.map({ id: 1 }).load(source())).rejects.toMatchObject({
      reason: "MAP_NOT_FOUND",
    });
  });

  it.each([0, -1, 1.5, Number.NaN])("refuses chunks of %d bytes", async (chunkBytes) => {
    const { map } = await loadable();
    await expect(map.load([], { chunkBytes })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
  });

  it("is cancelled by its signal", async () => {
    const { map, cancelled, requests } = await loadable();
    const controller = new AbortController();
    async function* source() {
      for (let index = 0; ; index += 1) {
        yield element(index);
        await new Promise(setImmediate);
        if (requests.length > 10) controller.abort("stop");
      }
    }
    await expect(
      map.load(source(), { chunkBytes: 1, signal: controller.signal }),
    ).rejects.toMatchObject({ code: status.CANCELLED, cause: "stop" });
    await cancelled;
  });
});
