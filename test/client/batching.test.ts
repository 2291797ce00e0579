import { UpdateMode } from "@bpfmapd/client/proto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { hex, u32, u64 } from "../service/support/elements.js";
import { makeMap, shapeOf } from "../service/support/plain-map.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { countingClient } from "./support/count-requests.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
});
afterAll(() => daemon?.dispose());

/** A batched map of a client of its own, whose requests are counted. */
async function stage(shape = shapeOf("HASH"), options = {}) {
  const { id, info, handle } = await makeMap(daemon, shape);
  const { client, requests } = countingClient({ address: `unix:${daemon.socket}` });
  onTestFinished(() => client.close());
  return { map: client.map({ id }).batched(info, options), handle, requests };
}

describe("calls at the same time", () => {
  it("share requests, and each has its own result", async () => {
    const { map, requests } = await stage();
    await Promise.all(Array.from({ length: 64 }, (_, index) => map.update(u32(index), u64(index))));
    const found = await Promise.all(
      Array.from({ length: 128 }, (_, index) => map.lookup(u32(index))),
    );
    expect(found.map((value) => value && hex(value))).toEqual(
      Array.from({ length: 128 }, (_, index) => (index < 64 ? hex(u64(index)) : undefined)),
    );
    const gone = await Promise.all([1, 2, 99].map((index) => map.delete(u32(index))));
    expect(gone).toEqual([true, true, false]);
    expect(requests()).toEqual({ UpdateElements: 1, LookupElements: 1, DeleteElements: 1 });
  });

  it("keep to the bounds of a request", async () => {
    const { map, requests } = await stage(shapeOf("HASH"), { maxOperations: 10 });
    await Promise.all(Array.from({ length: 95 }, (_, index) => map.update(u32(index), u64(0))));
    expect(requests()).toEqual({ UpdateElements: 10 });
  });

  it("fail each for itself", async () => {
    const { map } = await stage(shapeOf("HASH", { maxEntries: 2 }));
    const outcomes = await Promise.allSettled([
      map.update(u32(1), u64(1)),
      map.update(u32(2), u64(2)),
      map.update(u32(3), u64(3)),
      map.update(u32(1), u64(4)),
    ]);
    expect(outcomes.map(reasonOf)).toEqual([undefined, undefined, "MAP_FULL", undefined]);
    const modes = await Promise.allSettled([
      map.update(u32(1), u64(5), { mode: UpdateMode.NOEXIST }),
      map.update(u32(9), u64(5), { mode: UpdateMode.EXIST }),
      map.update(u32(2), u64(5), { mode: UpdateMode.EXIST }),
    ]);
    expect(modes.map(reasonOf)).toEqual(["ELEMENT_EXISTS", "ELEMENT_NOT_FOUND", undefined]);
  });

  it("are not spoilt by one that the daemon refuses before it does anything", async () => {
    const { map } = await stage(shapeOf("ARRAY", { maxEntries: 4 }));
    const outcomes = await Promise.allSettled([
      map.update(u32(1), u64(1)),
      map.update(u32(4), u64(1)),
      map.update(u32(3), u64(3)),
    ]);
    expect(outcomes.map(reasonOf)).toEqual([undefined, "KEY_OUT_OF_RANGE", undefined]);
    expect(hex((await map.lookup(u32(3)))!)).toBe(hex(u64(3)));
  });

  it("are not spoilt by one of the wrong size, which is refused at once", async () => {
    const { map, requests } = await stage();
    const outcomes = await Promise.allSettled([
      map.update(u32(1), u64(1)),
      map.update(u64(1), u64(1)),
      map.update(u32(2), u32(1)),
      map.lookup(u64(1)),
    ]);
    expect(outcomes.map(reasonOf)).toEqual([
      undefined,
      "KEY_SIZE_MISMATCH",
      "VALUE_SIZE_MISMATCH",
      "KEY_SIZE_MISMATCH",
    ]);
    expect(requests()).toEqual({ UpdateElements: 1 });
  });

  it("all fail where the map is gone", async () => {
    const { map, handle } = await stage();
    await handle.freeze();
    const outcomes = await Promise.allSettled([
      map.update(u32(1), u64(1)),
      map.update(u32(2), u64(1)),
    ]);
    expect(outcomes.map(reasonOf)).toEqual(["MAP_FROZEN", "MAP_FROZEN"]);
  });
});

describe("a signal", () => {
  it("ends its own call, and what was not sent is not done", async () => {
    const { map } = await stage();
    const cancel = new AbortController();
    const kept = map.update(u32(1), u64(1));
    const dropped = map.update(u32(2), u64(2), { signal: cancel.signal });
    cancel.abort("changed my mind");
    await expect(dropped).rejects.toMatchObject({ code: 1, cause: "changed my mind" });
    await kept;
    expect(await map.lookup(u32(2))).toBeUndefined();
    expect(await map.lookup(u32(1))).toBeDefined();
  });

  it("that has fired already lets nothing happen", async () => {
    const { map, requests } = await stage();
    await expect(map.delete(u32(1), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 1,
    });
    expect(requests()).toEqual({});
  });
});

it("takes the bytes as they were when it was called", async () => {
  const { map } = await stage();
  const value = u64(1);
  const done = map.update(u32(1), value);
  value.fill(0xff);
  await done;
  expect(hex((await map.lookup(u32(1)))!)).toBe(hex(u64(1)));
});

const operation = fc.record({
  kind: fc.constantFrom("update", "lookup", "delete"),
  key: fc.nat(5),
  value: fc.nat(99),
});

it("has the effects and results of the same calls one after another", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
      const { map, handle } = await stage(shapeOf("HASH", { maxEntries: 16 }));
      const model = new Map<number, number>();
      const expected: unknown[] = [];
      const calls = operations.map(({ kind, key, value }) => {
        if (kind === "lookup") {
          expected.push(model.get(key));
          return map
            .lookup(u32(key))
            .then((found) => found && Number(Buffer.from(found).readBigUInt64LE()));
        }
        if (kind === "delete") {
          expected.push(model.delete(key));
          return map.delete(u32(key));
        }
        model.set(key, value);
        expected.push(undefined);
        return map.update(u32(key), u64(value));
      });
      expect(await Promise.all(calls)).toEqual(expected);
      expect((await handle.count()).count).toBe(BigInt(model.size));
    }),
    { numRuns: 30 },
  );
});

function reasonOf(outcome: PromiseSettledResult<unknown>): string | undefined {
  return outcome.status === "rejected" ? outcome.reason.reason : undefined;
}
