import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { jsonLayout } from "#dist/cli/format/element-json.js";
import { ElementRenderer } from "#dist/cli/format/element-renderer.js";
import { elementTable } from "#dist/cli/format/element-table.js";
import { textLayout } from "#dist/cli/format/element-text.js";
import { makeStyle } from "#dist/cli/format/style.js";
import {
  dataWords,
  mustBpftool,
  type PrivateBpffs,
  privateBpffs,
  someBytes,
} from "./support/bpftool.js";

interface Sizes {
  keySize: number;
  valueSize: number;
  cpus: readonly number[] | undefined;
}

function text(
  layout: ReturnType<typeof textLayout>,
  elements: { count: number; keys: Uint8Array; values: Uint8Array },
): string {
  let all = "";
  for (const slab of new ElementRenderer(layout).render(elements)) {
    all += Buffer.from(slab).toString("utf8");
  }
  return all;
}

describe("one element looks as bpftool's, to the byte", () => {
  let bpffs: PrivateBpffs;
  let cpus: number[];
  beforeAll(() => {
    bpffs = privateBpffs();
    const pin = `${bpffs.path}/cpus`;
    createAndFill(pin, "percpu_hash", 1, 1);
    const shown = JSON.parse(lookup(["-j"], pin, 1)) as { values: { cpu: number }[] };
    cpus = shown.values.map(({ cpu }) => cpu);
    return () => bpffs.dispose();
  });

  function createAndFill(pin: string, type: string, keySize: number, valueSize: number): void {
    const spec = `type ${type} key ${keySize} value ${valueSize} entries 4 name m`;
    mustBpftool("map", "create", pin, ...spec.split(" "));
    const key = dataWords(someBytes(keySize, 1));
    const value = dataWords(someBytes(valueSize, 2));
    mustBpftool("map", "update", "pinned", pin, "key", ...key, "value", ...value);
  }

  function lookup(options: string[], pin: string, keySize: number): string {
    const key = dataWords(someBytes(keySize, 1));
    return mustBpftool(...options, "map", "lookup", "pinned", pin, "key", ...key);
  }

  it.each([
    [1, 1],
    [4, 8],
    [8, 16],
    [12, 12],
    [12, 13],
    [16, 8],
    [16, 9],
    [16, 16],
    [17, 1],
    [1, 17],
    [20, 40],
    [64, 200],
  ])("hash, key %i, value %i", (keySize, valueSize) => {
    const pin = `${bpffs.path}/h_${keySize}_${valueSize}`;
    createAndFill(pin, "hash", keySize, valueSize);
    const shape = { keySize, valueSize, cpus: undefined };
    const element = {
      count: 1,
      keys: someBytes(keySize, 1),
      values: someBytes(valueSize, 2),
    };
    expect(text(textLayout(shape), element)).toBe(lookup([], pin, keySize));
    expect(text(jsonLayout(shape, false, 0), element)).toBe(lookup(["-j"], pin, keySize));
    expect(text(jsonLayout(shape, true, 0), element)).toBe(lookup(["-p"], pin, keySize));
  });

  it.each([
    [4, 1],
    [4, 8],
    [4, 9],
    [20, 17],
    [3, 33],
  ])("percpu_hash, key %i, value %i", (keySize, valueSize) => {
    const pin = `${bpffs.path}/p_${keySize}_${valueSize}`;
    createAndFill(pin, "percpu_hash", keySize, valueSize);
    const shape = { keySize, valueSize, cpus };
    const element = {
      count: 1,
      keys: someBytes(keySize, 1),
      values: slots(someBytes(valueSize, 2), cpus.length),
    };
    expect(text(textLayout(shape), element)).toBe(lookup([], pin, keySize));
    expect(text(jsonLayout(shape, false, 0), element)).toBe(lookup(["-j"], pin, keySize));
    expect(text(jsonLayout(shape, true, 0), element)).toBe(lookup(["-p"], pin, keySize));
  });

  it.each(["queue", "stack"])("%s", (type) => {
    const pin = `${bpffs.path}/${type}`;
    mustBpftool(
      ...["map", "create", pin, "type", type],
      ..."key 0 value 20 entries 4 name m".split(" "),
    );
    const value = someBytes(20, 2);
    mustBpftool("map", "push", "pinned", pin, "value", ...dataWords(value));
    const shape = { keySize: 0, valueSize: 20, cpus: undefined };
    const element = { count: 1, keys: new Uint8Array(0), values: value };
    const peek = (...options: string[]) => mustBpftool(...options, "map", "peek", "pinned", pin);
    expect(text(textLayout(shape), element)).toBe(peek());
    expect(text(jsonLayout(shape, false, 0), element)).toBe(peek("-j"));
    expect(text(jsonLayout(shape, true, 0), element)).toBe(peek("-p"));
  });
});

/** The same value in the slot of every CPU. */
function slots(value: Uint8Array, cpus: number): Uint8Array {
  const stride = Math.ceil(value.length / 8) * 8;
  const all = new Uint8Array(stride * cpus);
  for (let cpu = 0; cpu < cpus; cpu++) all.set(value, cpu * stride);
  return all;
}

const anyShape = fc.record({
  keySize: fc.integer({ min: 0, max: 40 }),
  valueSize: fc.integer({ min: 1, max: 40 }),
  cpus: fc.option(fc.constantFrom([0], [0, 1], [0, 2, 5]), { nil: undefined }),
});

function columns({ keySize, valueSize, cpus }: Sizes, count: number, seed: number) {
  const stride = cpus === undefined ? valueSize : Math.ceil(valueSize / 8) * 8 * cpus.length;
  return {
    count,
    keys: someBytes(keySize * count, seed),
    values: someBytes(stride * count, seed + 1),
    stride,
  };
}

it("writes the JSON of any shape so that JSON.parse reads the same bytes", () => {
  fc.assert(
    fc.property(anyShape, fc.boolean(), fc.nat(50), fc.nat(255), (shape, pretty, count, seed) => {
      const elements = columns(shape, count, seed);
      const body = text(jsonLayout(shape, pretty, 1), elements);
      const parsed = JSON.parse(`[${body.slice(1)}]`) as Record<string, unknown>[];
      expect(parsed).toHaveLength(count);
      for (const [index, item] of parsed.entries()) {
        const key = elements.keys.subarray(index * shape.keySize, (index + 1) * shape.keySize);
        expect(item.key).toEqual(hexStrings(key));
        const value = elements.values.subarray(
          index * elements.stride,
          (index + 1) * elements.stride,
        );
        if (shape.cpus === undefined) {
          expect(item.value).toEqual(hexStrings(value));
        } else {
          const step = Math.ceil(shape.valueSize / 8) * 8;
          expect(item.values).toEqual(
            shape.cpus.map((cpu, slot) => ({
              cpu,
              value: hexStrings(value.subarray(slot * step, slot * step + shape.valueSize)),
            })),
          );
        }
      }
    }),
    { numRuns: 60 },
  );
});

function hexStrings(bytes: Uint8Array): string[] {
  return [...bytes].map((byte) => `0x${byte.toString(16).padStart(2, "0")}`);
}

it("renders more elements than fit into a slab", () => {
  const shape = { keySize: 4, valueSize: 8, cpus: undefined };
  const elements = columns(shape, 20_000, 3);
  const lines = text(textLayout(shape), elements).trimEnd().split("\n");
  expect(lines).toHaveLength(20_000);
  const last = Buffer.from(elements.keys.subarray(-4)).toString("hex").match(/../g)!.join(" ");
  expect(lines.at(-1)).toContain(`key: ${last}  value: `);
});

describe("the table for people", () => {
  const plain = makeStyle(false);

  it("aligns key, value and ASCII under their titles", () => {
    const { heading, layout } = elementTable({ keySize: 2, valueSize: 4, cpus: undefined }, plain);
    const elements = {
      count: 2,
      keys: Uint8Array.of(1, 2, 0xff, 0xfe),
      values: Buffer.from("ab\0\x7fZ ~\n", "latin1"),
    };
    expect(heading + text(layout, elements)).toBe(
      [
        "KEY    VALUE        ASCII",
        "01 02  61 62 00 7f  ab..",
        "ff fe  5a 20 7e 0a  Z ~.",
        "",
      ].join("\n"),
    );
  });

  it("goes on over several rows where a value is wider than 16 bytes", () => {
    const { heading, layout } = elementTable({ keySize: 1, valueSize: 18, cpus: undefined }, plain);
    const elements = {
      count: 1,
      keys: Uint8Array.of(7),
      values: Buffer.from("0123456789abcdefgh"),
    };
    expect(heading + text(layout, elements)).toBe(
      [
        "KEY  VALUE                                             ASCII",
        "07   30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef",
        "     67 68                                             gh",
        "",
      ].join("\n"),
    );
  });

  it("has a row for each CPU", () => {
    const { heading, layout } = elementTable({ keySize: 1, valueSize: 1, cpus: [0, 3] }, plain);
    const values = slots(Uint8Array.of(0x41), 2);
    const elements = { count: 1, keys: Uint8Array.of(9), values };
    expect(heading + text(layout, elements)).toBe(
      ["KEY  CPU  VALUE  ASCII", "09     0  41     A", "       3  41     A", ""].join("\n"),
    );
  });

  it("has all bytes of a key that is longer than its values", () => {
    const { layout } = elementTable({ keySize: 40, valueSize: 1, cpus: [0, 1] }, plain);
    const keys = someBytes(40, 1);
    const shown = text(layout, { count: 1, keys, values: slots(Uint8Array.of(1), 2) });
    const digits = shown
      .split("\n")
      .map((line) => line.slice(0, 48))
      .join(" ")
      .trim()
      .split(/\s+/);
    expect(digits.join("")).toBe(Buffer.from(keys).toString("hex"));
  });

  it("colours nothing but what is around the bytes", () => {
    const colour = makeStyle(true);
    const { layout } = elementTable({ keySize: 1, valueSize: 1, cpus: undefined }, colour);
    const shown = text(layout, { count: 1, keys: Uint8Array.of(1), values: Uint8Array.of(0x41) });
    expect(shown).toContain("\u001b[");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for.
    expect(shown.replace(/\u001b\[\d+m/g, "")).toBe("01   41     A\n");
  });
});
