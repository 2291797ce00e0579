import { type Dump, status } from "@bpfmapd/client";
import {
  CpuFold,
  type DumpMapRequest,
  type DumpMapResponseSchema,
  Projection,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Behaviour, failure, serve } from "./support/canned-server.js";
import { deferred } from "./support/deferred.js";
import { standsStill } from "./support/rounds.js";

type Message = MessageInitShape<typeof DumpMapResponseSchema>;

const KEY_SIZE = 4;
const VALUE_SIZE = 8;

const HEADER: Message = {
  kind: {
    case: "header",
    value: { map: { id: 1, keySize: KEY_SIZE, valueSize: VALUE_SIZE }, valueStride: VALUE_SIZE },
  },
};

function summary(sent: number): Message {
  return { kind: { case: "summary", value: { sent: BigInt(sent), complete: true } } };
}

/** Elements `first` to `first + count - 1`: the number as u32 key, twice the number as u64 value. */
function chunk(first: number, count: number): Message {
  const keys = Buffer.alloc(count * KEY_SIZE);
  const values = Buffer.alloc(count * VALUE_SIZE);
  for (let index = 0; index < count; index += 1) {
    keys.writeUInt32LE(first + index, index * KEY_SIZE);
    values.writeBigUInt64LE(BigInt(first + index) * 2n, index * VALUE_SIZE);
  }
  return { kind: { case: "elements", value: { count, keys, values } } };
}

/** A server whose dumps are these messages. */
function sending(...messages: Message[]): Behaviour {
  return {
    dumpMap: (call) => {
      for (const message of messages) call.write(message);
      call.end();
    },
  };
}

async function dumpOf(...messages: Message[]): Promise<Dump> {
  const { client } = await serve(sending(...messages));
  return client.map({ id: 1 }).dump();
}

/** The elements of a dump as numbers. */
async function read(dump: Dump): Promise<[number, bigint][]> {
  const elements: [number, bigint][] = [];
  for await (const [key, value] of dump) {
    elements.push([Buffer.from(key).readUInt32LE(), Buffer.from(value).readBigUInt64LE()]);
  }
  return elements;
}

const expected = (count: number) =>
  Array.from({ length: count }, (_, index) => [index, BigInt(index) * 2n]);

describe("a dump, element by element", () => {
  it("gives every element of every chunk in order, then the summary", async () => {
    const dump = await dumpOf(
      HEADER,
      chunk(0, 3),
      chunk(3, 1),
      chunk(4, 0),
      chunk(4, 6),
      summary(10),
    );
    expect(await read(dump)).toEqual(expected(10));
    expect((await dump.header).map?.id).toBe(1);
    expect((await dump.summary).sent).toBe(10n);
  });

  it("gives views of the chunk, and nothing but plain bytes", async () => {
    const dump = await dumpOf(HEADER, chunk(0, 2), summary(2));
    const [first, second] = await all(dump);
    expect(first![0].buffer).toBe(second![1].buffer);
    expect(first![0].constructor).toBe(Uint8Array);
  });

  it("is empty where the map is", async () => {
    const dump = await dumpOf(HEADER, summary(0));
    expect(await read(dump)).toEqual([]);
    expect((await dump.summary).complete).toBe(true);
  });

  it("answers next() in the order of the calls, however many wait", async () => {
    const sizes = fc.array(fc.nat({ max: 5 }), { maxLength: 8 });
    const burst = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });
    const { client } = await serve({
      dumpMap: (call) => {
        const counts = [...(call.request.filter?.keyPrefix ?? [])];
        call.write(HEADER);
        let first = 0;
        for (const count of counts) {
          call.write(chunk(first, count));
          first += count;
        }
        call.write(summary(first));
        call.end();
      },
    });
    await fc.assert(
      fc.asyncProperty(sizes, burst, async (counts, bursts) => {
        const keyPrefix = Uint8Array.from(counts);
        const elements = client
          .map({ id: 1 })
          .dump({ filter: { keyPrefix } })
          [Symbol.asyncIterator]();
        const seen: number[] = [];
        let ended = false;
        for (let turn = 0; !ended; turn += 1) {
          const calls = Array.from({ length: bursts[turn % bursts.length]! }, () =>
            elements.next(),
          );
          for (const { done, value } of await Promise.all(calls)) {
            if (done) ended = true;
            else {
              expect(ended).toBe(false);
              seen.push(Buffer.from(value[0]).readUInt32LE());
            }
          }
        }
        const total = counts.reduce((sum, count) => sum + count, 0);
        expect(seen).toEqual(Array.from({ length: total }, (_, index) => index));
      }),
      { numRuns: 40 },
    );
  });

  it("gives empty values for keys only, and empty keys for values only", async () => {
    const keysOnly: Message = {
      kind: { case: "header", value: { map: { keySize: 4, valueSize: 8 }, valueStride: 0 } },
    };
    const columns = (keys: number, values: number): Message => ({
      kind: {
        case: "elements",
        value: { count: 2, keys: new Uint8Array(keys), values: new Uint8Array(values) },
      },
    });
    const sizes = async (dump: Dump) =>
      (await all(dump)).map(([key, value]) => [key.length, value.length]);
    expect(await sizes(await dumpOf(keysOnly, columns(8, 0), summary(2)))).toEqual([
      [4, 0],
      [4, 0],
    ]);
    expect(await sizes(await dumpOf(HEADER, columns(0, 16), summary(2)))).toEqual([
      [0, 8],
      [0, 8],
    ]);
  });
});

describe("a dump, chunk by chunk", () => {
  it("gives the chunks as they came, without copies", async () => {
    const dump = await dumpOf(HEADER, chunk(0, 3), chunk(3, 2), summary(5));
    const chunks = await all(dump.chunks());
    expect(chunks.map(({ count }) => count)).toEqual([3, 2]);
    expect(chunks[0]!.keys.buffer).toBe(chunks[0]!.values.buffer);
    expect((await dump.summary).sent).toBe(5n);
  });

  it("can be read once only", async () => {
    const dump = await dumpOf(HEADER, summary(0));
    dump.chunks();
    const again = { name: "BpfmapError", code: status.FAILED_PRECONDITION };
    expect(() => dump.chunks()).toThrow(expect.objectContaining(again));
    expect(() => dump[Symbol.asyncIterator]()).toThrow(expect.objectContaining(again));
  });
});

describe("the header of a dump", () => {
  it("can be had before any element is read", async () => {
    const dump = await dumpOf(HEADER, chunk(0, 2), summary(2));
    expect((await dump.header).valueStride).toBe(VALUE_SIZE);
    expect(await read(dump)).toEqual(expected(2));
  });

  it("rejects where the dump fails, once, with the daemon's error", async () => {
    const { client } = await serve({
      dumpMap: (call) =>
        call.emit("error", failure(status.NOT_FOUND, "no map", { reason: "MAP_NOT_FOUND" })),
    });
    const dump = client.map({ id: 1 }).dump();
    const gone = { name: "BpfmapError", reason: "MAP_NOT_FOUND" };
    await expect(dump.header).rejects.toMatchObject(gone);
    await expect(read(dump)).rejects.toMatchObject(gone);
    await expect(dump.summary).rejects.toMatchObject(gone);
  });
});

describe("a dump that does not keep to the contract", () => {
  it.each<[string, Message[], status]>([
    ["ends without a summary", [HEADER, chunk(0, 3)], status.DATA_LOSS],
    ["ends without anything", [], status.DATA_LOSS],
    ["has no header", [chunk(0, 3), summary(3)], status.INTERNAL],
    ["has two headers", [HEADER, HEADER, summary(0)], status.INTERNAL],
    ["goes on after its summary", [HEADER, summary(0), chunk(0, 3)], status.INTERNAL],
    ["has an empty message", [HEADER, {}, summary(0)], status.INTERNAL],
    ["has half a key", [HEADER, columns(2, 7, 16), summary(2)], status.INTERNAL],
    ["has half a value", [HEADER, columns(2, 8, 15), summary(2)], status.INTERNAL],
    ["has bytes for no element", [HEADER, columns(0, 4, 8), summary(0)], status.INTERNAL],
  ])("fails where it %s", async (_what, messages, code) => {
    const dump = await dumpOf(...messages);
    const error = { name: "BpfmapError", code };
    await expect(read(dump)).rejects.toMatchObject(error);
    await expect(dump.summary).rejects.toMatchObject(error);
  });

  it("gives the elements that came before the cut", async () => {
    const elements = (await dumpOf(HEADER, chunk(0, 3)))[Symbol.asyncIterator]();
    for (let index = 0; index < 3; index += 1) expect((await elements.next()).done).toBe(false);
    await expect(elements.next()).rejects.toMatchObject({ code: status.DATA_LOSS });
    expect((await elements.next()).done).toBe(true);
  });

  it("fails where the connection breaks in the middle", async () => {
    const { client, stop } = await serve({
      dumpMap: (call) => {
        call.write(HEADER);
        call.write(chunk(0, 3));
      },
    });
    const dump = client.map({ id: 1 }).dump();
    const elements = dump[Symbol.asyncIterator]();
    for (let index = 0; index < 3; index += 1) await elements.next();
    stop();
    await expect(elements.next()).rejects.toMatchObject({ name: "BpfmapError" });
    await expect(dump.summary).rejects.toMatchObject({ name: "BpfmapError" });
  });
});

describe("leaving a dump early", () => {
  async function waiting() {
    const cancelled = deferred<void>();
    const { client } = await serve({
      dumpMap: (call) => {
        call.on("cancelled", cancelled.resolve);
        call.write(HEADER);
        call.write(chunk(0, 3));
      },
    });
    return { map: client.map({ id: 1 }), cancelled: cancelled.promise };
  }

  it.each<[string, (dump: Dump) => Promise<unknown>]>([
    [
      "break",
      async (dump) => {
        for await (const _element of dump) break;
      },
    ],
    [
      "break between chunks",
      async (dump) => {
        for await (const _chunk of dump.chunks()) break;
      },
    ],
    [
      "an exception in the loop",
      async (dump) => {
        const loop = async () => {
          for await (const _element of dump) throw new Error("mine");
        };
        await expect(loop()).rejects.toThrow("mine");
      },
    ],
    [
      "throw()",
      async (dump) => {
        const chunks = dump.chunks();
        await chunks.next();
        await expect(chunks.throw!(new Error("mine"))).rejects.toThrow("mine");
        expect((await chunks.next()).done).toBe(true);
      },
    ],
    [
      "return() while a chunk is waited for",
      async (dump) => {
        const chunks = dump.chunks();
        await chunks.next();
        const next = chunks.next();
        await chunks.return!();
        expect((await next).done).toBe(true);
      },
    ],
    [
      "return() while elements are waited for",
      async (dump) => {
        const elements = dump[Symbol.asyncIterator]();
        for (let index = 0; index < 3; index += 1) await elements.next();
        const next = [elements.next(), elements.next()];
        await elements.return!();
        expect((await Promise.all(next)).map(({ done }) => done)).toEqual([true, true]);
      },
    ],
  ])("by %s cancels it on the host", async (_how, leave) => {
    const { map, cancelled } = await waiting();
    const dump = map.dump();
    await leave(dump);
    await cancelled;
    await expect(dump.summary).rejects.toMatchObject({ code: status.CANCELLED });
  });

  it("by its signal cancels it on the host and fails", async () => {
    const { map, cancelled } = await waiting();
    const controller = new AbortController();
    const elements = map.dump({ signal: controller.signal })[Symbol.asyncIterator]();
    for (let index = 0; index < 3; index += 1) await elements.next();
    const next = elements.next();
    controller.abort("enough");
    await expect(next).rejects.toMatchObject({ code: status.CANCELLED, cause: "enough" });
    await cancelled;
  });

  it("before it began makes no call", async () => {
    const { client } = await serve({ dumpMap: () => expect.unreachable("no call was to be made") });
    const dump = client.map({ id: 1 }).dump();
    await dump.chunks().return!();
    await expect(dump.header).rejects.toMatchObject({ code: status.CANCELLED });
    await expect(dump.summary).rejects.toMatchObject({ code: status.CANCELLED });
    await expect(client.host.getHost({})).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  });
});

describe("a slow reader", () => {
  it("holds the daemon back, leaves other calls alone, and misses nothing", async () => {
    const perChunk = 20_000; // 240 KB
    const chunks = 300;
    let written = 0;
    const { client } = await serve({
      dumpMap: async (call) => {
        call.write(HEADER);
        for (; written < chunks; written += 1) {
          if (call.write(chunk(written * perChunk, perChunk))) continue;
          await new Promise<void>((resolve) => call.once("drain", resolve));
        }
        call.write(summary(chunks * perChunk));
        call.end();
      },
      getHost: (_call, callback) => callback(null, {}),
    });
    const reader = client.map({ id: 1 }).dump().chunks();
    expect((await reader.next()).value?.count).toBe(perChunk);
    await standsStill(client, () => written);
    expect(written).toBeLessThan(chunks / 2);

    let read = 1;
    for await (const { keys } of reader) {
      expect(Buffer.from(keys).readUInt32LE()).toBe(read * perChunk);
      read += 1;
    }
    expect(read).toBe(chunks);
  });
});

describe("what a dump asks for", () => {
  it("is told to the daemon field by field", async () => {
    const requests: DumpMapRequest[] = [];
    const { client } = await serve({
      dumpMap: (call) => {
        requests.push(call.request);
        for (const message of [HEADER, summary(0)]) call.write(message);
        call.end();
      },
    });
    const map = client.map({ pinPath: "/sys/fs/bpf/a", bootId: "b" });
    await read(map.dump());
    await read(
      map.dump({
        filter: { keyPrefix: Uint8Array.of(1) },
        projection: Projection.KEYS,
        fold: CpuFold.SUM_U64,
        chunkBytes: 1000,
        maxElements: 5,
        maxElementsPerSecond: 6,
        progressIntervalMs: 1500,
      }),
    );
    await read(map.dump({ cpu: 0, maxElements: 2n ** 40n, onProgress: () => {} }));
    expect(requests[0]).toMatchObject({
      map: { ref: { case: "pinPath", value: "/sys/fs/bpf/a" }, bootId: "b" },
      projection: Projection.UNSPECIFIED,
      chunkBytes: 0,
      maxElements: 0n,
    });
    expect(requests[0]?.progressInterval).toBeUndefined();
    expect(requests[1]).toMatchObject({
      filter: { keyPrefix: Uint8Array.of(1) },
      projection: Projection.KEYS,
      cpuView: { view: { case: "fold", value: CpuFold.SUM_U64 } },
      chunkBytes: 1000,
      maxElements: 5n,
      maxElementsPerSecond: 6,
      progressInterval: { seconds: 1n, nanos: 500_000_000 },
    });
    expect(requests[2]).toMatchObject({
      cpuView: { view: { case: "cpu", value: 0 } },
      maxElements: 2n ** 40n,
      progressInterval: { seconds: 1n, nanos: 0 },
    });
  });

  it("is refused where it contradicts itself", async () => {
    const { client } = await serve({});
    const dump = () => client.map({ id: 1 }).dump({ cpu: 0, fold: CpuFold.MAX_U32 });
    expect(dump).toThrow(/exclude/);
  });
});

describe("the progress of a dump", () => {
  const progress = (sent: bigint): Message => ({ kind: { case: "progress", value: { sent } } });

  it("is told between the elements", async () => {
    const { client } = await serve(
      sending(HEADER, progress(0n), chunk(0, 2), progress(2n), summary(2)),
    );
    const seen: bigint[] = [];
    const onProgress = ({ sent }: { sent: bigint }) => seen.push(sent);
    expect(await read(client.map({ id: 1 }).dump({ onProgress }))).toEqual(expected(2));
    expect(seen).toEqual([0n, 2n]);
  });

  it("ends the dump where the callback throws", async () => {
    const cancelled = deferred<void>();
    const { client } = await serve({
      dumpMap: (call) => {
        call.on("cancelled", cancelled.resolve);
        for (const message of [HEADER, progress(0n)]) call.write(message);
      },
    });
    const mine = new Error("mine");
    const onProgress = () => {
      throw mine;
    };
    await expect(read(client.map({ id: 1 }).dump({ onProgress }))).rejects.toBe(mine);
    await cancelled.promise;
  });
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const seen: T[] = [];
  for await (const item of items) seen.push(item);
  return seen;
}

/** Columns of any length, whole or not. */
function columns(count: number, keyBytes: number, valueBytes: number): Message {
  const value = { count, keys: new Uint8Array(keyBytes), values: new Uint8Array(valueBytes) };
  return { kind: { case: "elements", value } };
}
