import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { mapFreeze } from "#dist/kernel/index.js";
import { type MapHost, peekElement, popElements, pushElements } from "#dist/maps/index.js";
import { hex, rows, u32 } from "./support/elements.js";
import { startHost } from "./support/host.js";
import { type KernelMap, makeMap, type Shape } from "./support/kernel-map.js";
import { expectFailure } from "./support/outcome.js";

let host: MapHost;
beforeAll(async () => {
  const started = await startHost({ limits: { maxMessageBytes: 1 << 16 } });
  host = started.host;
  return started.close;
});

type Keyless = "QUEUE" | "STACK" | "BLOOM_FILTER";

const make = (type: Keyless, shape: Shape = {}) => makeMap(type, { keySize: 0, ...shape });
const refOf = ({ id }: KernelMap) => ({ by: "id", id }) as const;

function push(map: KernelMap, values: readonly Uint8Array[], overwriteOldest = false) {
  const count = values.length;
  return pushElements(host, {
    map: refOf(map),
    values: Buffer.concat(values),
    count,
    overwriteOldest,
  });
}

async function pop(map: KernelMap, maxCount: number): Promise<string[]> {
  const { count, keys, values } = await popElements(host, { map: refOf(map), maxCount });
  expect(keys).toHaveLength(0);
  const popped = rows(values, map.layout.valueSize).map(hex);
  expect(popped).toHaveLength(count);
  return popped;
}

const peek = (map: KernelMap, value?: Uint8Array) => peekElement(host, { map: refOf(map), value });

const numbers = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => u32(from + index, 8));

type Step =
  | { kind: "push"; values: number[]; overwrite: boolean }
  | { kind: "pop"; maxCount: number }
  | { kind: "peek" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant("push" as const),
      values: fc.array(fc.nat(999), { minLength: 1, maxLength: 4 }),
      overwrite: fc.boolean(),
    }),
    fc.record({ kind: fc.constant("pop" as const), maxCount: fc.nat(6) }),
    fc.record({ kind: fc.constant("peek" as const) }),
  ),
  { maxLength: 30 },
);

const ROOM = 5;

describe.each([
  // A queue drops its oldest value, a stack the one at its bottom: both the oldest.
  ["QUEUE", (model: string[]) => model.shift(), (model: string[]) => model[0]],
  ["STACK", (model: string[]) => model.pop(), (model: string[]) => model.at(-1)],
] as const)("a %s", (type, takeNext, next) => {
  it("gives values as an array in JavaScript would", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const map = make(type, { maxEntries: ROOM });
        const model: string[] = [];
        for (const step of taken) {
          if (step.kind === "push") await pushBoth(map, model, step);
          else if (step.kind === "pop") {
            const most = Math.min(step.maxCount || 1, model.length);
            const expected = Array.from({ length: most }, () => takeNext(model));
            expect(await pop(map, step.maxCount)).toEqual(expected);
          } else {
            const value = next(model);
            const { found, value: peeked } = await peek(map);
            expect([found, hex(peeked)]).toEqual([value !== undefined, value ?? ""]);
          }
        }
        expect(await pop(map, 100)).toEqual(
          Array.from({ length: model.length }, () => takeNext(model)),
        );
      }),
      { numRuns: 40 },
    );
  });

  it("overwrites its oldest values where it is full", async () => {
    const map = make(type, { maxEntries: 4 });
    await push(map, numbers(0, 4));
    expect(await push(map, numbers(4, 3), true)).toEqual({ applied: 3 });
    const popped = (await pop(map, 10)).map((value) => Buffer.from(value, "hex").readUInt32LE());
    expect(popped.sort()).toEqual([3, 4, 5, 6]);
  });

  it("answers no value, and no error, where it is empty", async () => {
    const map = make(type);
    expect(await pop(map, 3)).toEqual([]);
    expect(await peek(map)).toEqual({ found: false, value: new Uint8Array(0) });
  });

  it.each([1, 7, 4096, 1 << 15])("gives back values of %i bytes", async (valueSize) => {
    const map = make(type, { valueSize, maxEntries: 2 });
    const value = Buffer.alloc(valueSize, 0xa5);
    await push(map, [value]);
    expect(await peek(map)).toEqual({ found: true, value: Uint8Array.from(value) });
    expect(await pop(map, 1)).toEqual([hex(value)]);
  });

  it("gives no more values at once than fit into a message, and loses none", async () => {
    const map = make(type, { valueSize: 4096, maxEntries: 100 });
    const values = Array.from({ length: 40 }, (_, index) => u32(index, 4096));
    for (const value of values) await push(map, [value]);
    const popped: string[] = [];
    for (;;) {
      const some = await pop(map, 1000);
      if (some.length === 0) break;
      expect(some.length * 4096).toBeLessThanOrEqual(1 << 16);
      popped.push(...some);
    }
    expect(popped.sort()).toEqual(values.map(hex).sort());
  });

  it("answers MAP_FROZEN once it is frozen", async () => {
    const map = make(type);
    await push(map, numbers(1, 1));
    mapFreeze(map.fd);
    await expectFailure(push(map, numbers(2, 1)), "MAP_FROZEN");
    await expectFailure(pop(map, 1), "MAP_FROZEN");
    expect(await peek(map)).toMatchObject({ found: true });
  });

  it("is asked for no value by a peek", async () => {
    await expectFailure(peek(make(type), Buffer.alloc(8)), "FIELD_INVALID", "value");
  });

  async function pushBoth(map: KernelMap, model: string[], step: Step & { kind: "push" }) {
    const values = step.values.map((value) => u32(value, 8));
    const room = step.overwrite ? values.length : ROOM - model.length;
    for (const value of values.slice(0, room)) {
      if (model.length === ROOM) model.shift();
      model.push(hex(value));
    }
    if (values.length <= room) {
      expect(await push(map, values, step.overwrite)).toEqual({ applied: values.length });
      return;
    }
    const error = await expectFailure(push(map, values), "MAP_FULL");
    expect(error.metadata).toMatchObject({ index: `${room}`, applied: `${room}` });
  }
});

describe("a bloom filter", () => {
  it("has every value that was pushed, and hardly another", async () => {
    const map = make("BLOOM_FILTER", { maxEntries: 1000, mapExtra: 5n });
    await push(map, numbers(0, 500));
    for (const value of numbers(0, 500)) {
      expect(await peek(map, value)).toEqual({ found: true, value: new Uint8Array(0) });
    }
    let falsely = 0;
    for (const value of numbers(100_000, 500)) if ((await peek(map, value)).found) falsely++;
    expect(falsely).toBeLessThan(100);
  });

  it("has no oldest value, and gives none back", async () => {
    const map = make("BLOOM_FILTER");
    await expectFailure(push(map, numbers(1, 1), true), "FIELD_INVALID", "overwrite_oldest");
    await expectFailure(pop(map, 1), "OPERATION_NOT_SUPPORTED");
  });

  it("must be asked for a value of its size", async () => {
    const map = make("BLOOM_FILTER");
    await expectFailure(peek(map), "FIELD_INVALID", "value");
    await expectFailure(peek(map, Buffer.alloc(7)), "VALUE_SIZE_MISMATCH", "value");
  });
});

describe("values of the wrong size", () => {
  it.each(["QUEUE", "STACK", "BLOOM_FILTER"] as const)("are not pushed into a %s", async (type) => {
    const map = make(type);
    await expectFailure(push(map, [Buffer.alloc(7)]), "VALUE_SIZE_MISMATCH", "values");
    // 16 bytes that are said to be one value are not two.
    const values = Buffer.alloc(16);
    const call = pushElements(host, { map: refOf(map), values, count: 1, overwriteOldest: false });
    await expectFailure(call, "VALUE_SIZE_MISMATCH", "values");
    if (type !== "BLOOM_FILTER") expect(await pop(map, 10)).toEqual([]);
  });
});

it("maps with keys have neither push nor pop nor peek", async () => {
  const map = makeMap("HASH");
  await expectFailure(push(map, numbers(1, 1)), "OPERATION_NOT_SUPPORTED");
  await expectFailure(pop(map, 1), "OPERATION_NOT_SUPPORTED");
  await expectFailure(peek(map), "OPERATION_NOT_SUPPORTED");
});
