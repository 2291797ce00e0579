import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type CpuTarget,
  deleteElements,
  lookupElements,
  type MapHost,
  nextKey,
  type OnError,
  takeElements,
  type UpdateMode,
  updateElements,
} from "#dist/maps/index.js";
import type { MapLayout } from "#dist/maps/map-layout.js";
import { bpftoolDump } from "./support/bpftool.js";
import { dumped } from "./support/dumped.js";
import { byKey, columnsOf, hex, rows, u32 } from "./support/elements.js";
import { startHost } from "./support/host.js";
import {
  type KernelMap,
  makeMap,
  type Shape,
  WALKABLE,
  type Walkable,
} from "./support/kernel-map.js";
import { expectEach, MapModel } from "./support/map-model.js";
import { expectFailure, expectOutcome } from "./support/outcome.js";

let host: MapHost;
beforeAll(async () => {
  const started = await startHost();
  host = started.host;
  return started.close;
});

/** Few keys, so that steps meet; LRU maps get room, so that they evict nothing. */
const ROOM = 6;
const KEYS = 10;

interface Step {
  readonly kind: "update" | "lookup" | "delete" | "take" | "next";
  readonly keys: number[];
  readonly byte: number;
  readonly mode: UpdateMode;
  readonly target: "whole" | "cpu" | "all";
  readonly onError: OnError;
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom("update", "update", "lookup", "delete", "take", "next"),
    keys: fc.array(fc.nat(KEYS - 1), { minLength: 1, maxLength: 5 }),
    byte: fc.nat(255),
    mode: fc.constantFrom("any", "noexist", "exist"),
    target: fc.constantFrom("whole", "cpu", "all"),
    onError: fc.constantFrom("stop", "continue"),
  }),
  { maxLength: 25 },
);

const shapesOf = (type: Walkable): Shape[] => {
  if (type === "LPM_TRIE")
    return [
      { keySize: 5, valueSize: 1 },
      { keySize: 8, valueSize: 7 },
    ];
  if (type.endsWith("ARRAY")) return [{ valueSize: 1 }, { valueSize: 12 }];
  return [
    { keySize: 1, valueSize: 1 },
    { keySize: 5, valueSize: 7 },
    { keySize: 16, valueSize: 64 },
  ];
};

/** Key `index` of a map: of a trie nested prefixes with host bits set. */
function keyFor({ layout, target }: KernelMap, index: number): Buffer {
  if (target.keyKind === "index") return u32(index % layout.maxEntries);
  if (target.keyKind !== "prefix") return u32(index, layout.keySize);
  const key = Buffer.alloc(layout.keySize, index % 2 ? 0xb1 : 0xb0);
  key.writeUInt32LE([0, 1, 3, 4, 6, 7, 8, 8, 8, 8][index] ?? 0);
  if (index > 6) key[4] = index * 16;
  return key;
}

/** A map, its model, and the steps on both. */
class Run {
  readonly #map: KernelMap;
  readonly #model: MapModel;

  constructor(type: Walkable, shape: Shape) {
    const maxEntries = type.startsWith("LRU") ? 1000 : ROOM;
    this.#map = makeMap(type, { ...shape, maxEntries });
    this.#model = new MapModel(type, this.#map.layout);
  }

  async take(step: Step): Promise<void> {
    if (step.kind === "update") await this.#update(step);
    else if (step.kind === "lookup") await this.#lookup(step);
    else if (step.kind === "delete") await this.#delete(step);
    else if (step.kind === "take") await this.#take(step);
    else await this.#next(step);
  }

  /** The map as the dump, and as bpftool, reads it. */
  async compare(): Promise<void> {
    const { id, layout } = this.#map;
    const model = new Map([...this.#model.elements].map(([key, value]) => [key, hex(value)]));
    const { elements, summary } = await dumped(host, id);
    expect(summary).toMatchObject({ complete: true, sent: model.size, scanned: model.size });
    expect(byKey(elements.map(([key, value]) => [this.#named(key), value]))).toEqual(model);
    const seen = [...bpftoolDump(id)].map(([key, value]) => [
      this.#model.name(Buffer.from(key, "hex")),
      value,
    ]);
    expect(new Map(seen as [string, string][])).toEqual(
      new Map([...this.#model.elements].map(([key, value]) => [key, bpftoolValue(layout, value)])),
    );
  }

  async #update({ keys, byte, mode, target, onError }: Step): Promise<void> {
    const { id, layout } = this.#map;
    const cpuTarget = layout.cpus.length > 0 ? targetOf(layout, target, byte) : undefined;
    const size = cpuTarget ? layout.valueSize : layout.valueStride;
    const elements = keys.map((key, index): [Buffer, Buffer] => [
      keyFor(this.#map, key),
      Buffer.alloc(size, byte + index),
    ]);
    const expected = expectEach(keys.length, onError, (index) =>
      this.#model.update(...(elements[index] as [Buffer, Buffer]), mode, cpuTarget),
    );
    const call = updateElements(host, {
      map: { by: "id", id },
      elements: columnsOf(elements),
      mode,
      cpuTarget,
      lock: false,
      onError,
    });
    await expectOutcome(call, expected);
  }

  async #lookup({ keys, onError }: Step): Promise<void> {
    const { layout } = this.#map;
    const asked = this.#ask(keys);
    const values: (Buffer | undefined)[] = [];
    const expected = expectEach(keys.length, onError, (index) => {
      values.push(this.#model.lookup(keyFor(this.#map, keys[index] as number)));
      return values.at(-1) ? undefined : "ELEMENT_NOT_FOUND";
    });
    const call = lookupElements(host, { ...asked, lock: false, onError });
    const answer = await expectOutcome(call, expected);
    if (!answer) return;
    expect(answer.elements.keys).toHaveLength(0);
    expect(rows(answer.elements.values, layout.valueStride).map(hex)).toEqual(
      values.map((value) => hex(value ?? Buffer.alloc(layout.valueStride))),
    );
  }

  async #delete({ keys, onError }: Step): Promise<void> {
    const call = deleteElements(host, { ...this.#ask(keys), onError });
    if (this.#map.target.keyKind === "index") {
      await expectFailure(call, "OPERATION_NOT_SUPPORTED");
      return;
    }
    const expected = expectEach(keys.length, onError, (index) =>
      this.#model.delete(keyFor(this.#map, keys[index] as number)),
    );
    await expectOutcome(call, expected);
  }

  async #take({ keys, onError }: Step): Promise<void> {
    const call = takeElements(host, { ...this.#ask(keys), onError });
    if (!this.#model.canTake) {
      await expectFailure(call, "OPERATION_NOT_SUPPORTED");
      return;
    }
    const { valueStride } = this.#map.layout;
    const values: string[] = [];
    const expected = expectEach(keys.length, onError, (index) => {
      const key = keyFor(this.#map, keys[index] as number);
      values.push(hex(this.#model.lookup(key) ?? Buffer.alloc(valueStride)));
      return this.#model.delete(key);
    });
    const answer = await expectOutcome(call, expected);
    if (answer) expect(rows(answer.elements.values, valueStride).map(hex)).toEqual(values);
  }

  async #next({ keys, byte }: Step): Promise<void> {
    const { id } = this.#map;
    const names = new Set(this.#model.elements.keys());
    const key = byte % 2 ? keyFor(this.#map, keys[0] as number) : undefined;
    const call = nextKey(host, { by: "id", id }, key).then(({ keys }) => keys);
    const isEmpty = names.size === 0;
    const next = await call.catch((error: Error) => error);
    if (next instanceof Error) {
      // Without a key, only an empty map has none; with one, it is the last.
      expect(isEmpty || (key && names.has(this.#model.name(key)))).toBe(true);
      await expectFailure(Promise.reject(next), "ELEMENT_NOT_FOUND");
    } else {
      expect(names).toContain(this.#model.name(next));
    }
  }

  #ask(keys: readonly number[]) {
    const columns = Buffer.concat(keys.map((key) => keyFor(this.#map, key)));
    return { map: { by: "id" as const, id: this.#map.id }, keys: columns, count: keys.length };
  }

  #named(key: Buffer): Buffer {
    return Buffer.from(this.#model.name(key), "hex");
  }
}

function targetOf(layout: MapLayout, kind: Step["target"], byte: number): CpuTarget | undefined {
  if (kind === "whole") return undefined;
  return kind === "all" ? { allCpus: true } : { cpu: layout.cpus[byte % layout.cpus.length] ?? 0 };
}

/** A value as bpftool shows it: pad bytes left out. */
function bpftoolValue(layout: MapLayout, value: Buffer): string {
  if (layout.cpus.length === 0) return hex(value);
  return rows(value, layout.slotSize)
    .map((slot) => hex(slot.subarray(0, layout.valueSize)))
    .join(",");
}

describe("any steps on a map leave what a model of it has, as bpftool reads it too", () => {
  const cases = WALKABLE.flatMap((type) => shapesOf(type).map((shape) => [type, shape] as const));
  it.each(cases)("%s %o", async (type, shape) => {
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const run = new Run(type, shape);
        for (const step of taken) await run.take(step);
        await run.compare();
      }),
      { numRuns: 12 },
    );
  });
});
