import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { parseElements } from "#dist/cli/files/element-file.js";
import { jsonLayout } from "#dist/cli/format/element-json.js";
import { ElementRenderer } from "#dist/cli/format/element-renderer.js";
import { textLayout } from "#dist/cli/format/element-text.js";
import {
  dataWords,
  mustBpftool,
  type PrivateBpffs,
  privateBpffs,
  someBytes,
} from "./support/bpftool.js";

interface Target {
  keySize: number;
  valueSize: number;
  valueStride: number;
  cpus: readonly number[] | undefined;
}

const hash: Target = { keySize: 4, valueSize: 2, valueStride: 2, cpus: undefined };
const queue: Target = { keySize: 0, valueSize: 2, valueStride: 2, cpus: undefined };
const perCpu: Target = { keySize: 1, valueSize: 2, valueStride: 16, cpus: [0, 3] };

/** Parses text that comes in pieces; the places where it is cut. */
async function parse(text: string, target: Target, cuts: readonly number[] = []) {
  async function* blocks() {
    const bytes = Buffer.from(text);
    let from = 0;
    for (const cut of [...cuts].sort((a, b) => a - b)) {
      if (cut <= from || cut >= bytes.length) continue;
      yield bytes.subarray(from, cut);
      from = cut;
    }
    yield bytes.subarray(from);
  }
  const parts = [];
  for await (const chunk of parseElements(blocks(), target)) parts.push(chunk);
  return {
    count: parts.reduce((sum, { count }) => sum + count, 0),
    keys: Buffer.concat(parts.map(({ keys }) => keys)).toString("hex"),
    values: Buffer.concat(parts.map(({ values }) => values)).toString("hex"),
  };
}

describe("text", () => {
  it("reads the words of update commands", async () => {
    const text = "# comment\n\nkey 1 2 3 0x04 value hex a 0b\nkey hex 5 6 7 8 value 012 255\n";
    expect(await parse(text, hash)).toEqual({
      count: 2,
      keys: "0102030405060708",
      values: "0a0b0aff",
    });
  });

  it("reads bpftool's plain dump, over several lines too", async () => {
    const text =
      "key: 0a 0b 0c 0d  value: 01 02\nkey:\n01 02\n03 04\nvalue:\nff fe\nFound 2 elements\n";
    expect(await parse(text, hash)).toEqual({
      count: 2,
      keys: "0a0b0c0d01020304",
      values: "0102fffe",
    });
  });

  it("reads values per CPU, in any order", async () => {
    const text = "key:\n07\nvalue (CPU 03): 01 02\nvalue (CPU 00): 03 04\nFound 1 element\n";
    expect(await parse(text, perCpu)).toEqual({
      count: 1,
      keys: "07",
      values: "0304000000000000" + "0102000000000000",
    });
  });

  it("writes a value without CPU for every CPU", async () => {
    const { values } = await parse("key 7 value 1 2", perCpu);
    expect(values).toBe("0102000000000000" + "0102000000000000");
  });

  it("reads values alone for a map without keys", async () => {
    const text = "value: 01 02\nvalue 3 4\nvalue hex 0a 0b value 5 6";
    expect(await parse(text, queue)).toEqual({ count: 4, keys: "", values: "010203040a0b0506" });
  });

  it.each([
    [hash, "key 1 2 3 value 1 2", "line 1: key expected 4 bytes got 3"],
    [hash, "key 1 2 3 4 value 1 2\nkey 1 2 3 4 value 1", "line 2: value expected 2 bytes got 1"],
    [hash, "key 1 2 3 4 value 1 256", "line 1: error parsing byte: 256"],
    [hash, "key 1 2 3 4 value 1 zz", "line 1: error parsing byte: zz"],
    [hash, "key 1 2 3 4", "line 1: a key without a value"],
    [hash, "value 1 2", "line 1: a value without a key"],
    [hash, "1 2 3 4", "line 1: expected key or value, got: 1"],
    [hash, "key 1 2 3 4 value 1 2 value 1 2", "line 1: a second value without a key before it"],
    [hash, "key 1 hex 2", 'line 1: "hex" stands only after'],
    [hash, "key:\n01 02 03 04\nvalue (CPU 00): 01 02", "values per CPU are for per-CPU maps only"],
    [perCpu, "key:\n07\nvalue (CPU 00): 01 02", "there is no value for CPU 3"],
    [perCpu, "key:\n07\nvalue (CPU 01): 01 02", "the host has no CPU 1"],
    [perCpu, "key: 07\nvalue (CPU 00): 1 2\nvalue (CPU 00): 1 2", "CPU 0 has two values"],
    [perCpu, "key: 07\nvalue (CPU 00): 1\nvalue (CPU 03): 1 2", "value of CPU 0 expected 2 bytes"],
  ] as const)("refuses what does not fit: case %#", async (target, text, message) => {
    await expect(parse(text, target)).rejects.toThrow(message);
  });
});

describe("JSON", () => {
  it("reads hexadecimal strings, decimal strings and numbers", async () => {
    const text = '[{"key":["0x01","2",3,"0x4"],"value":[255,"010"],"formatted":{"a":"],{"}}]';
    expect(await parse(text, hash)).toEqual({ count: 1, keys: "01020304", values: "ff08" });
  });

  it.each([
    ["", 0],
    ["[]", 0],
    ["[ \n ]\n", 0],
    ['[{"key":[1,2,3,4],"value":[1,2]}]', 1],
  ])("reads %s", async (text, count) => {
    expect((await parse(text, hash)).count).toBe(count);
  });

  const whole = '{"key":[1,2,3,4],"value":[1,2]}';
  it.each([
    [`[${whole}`, "the JSON ends before its array does"],
    [`[${whole},`, "the JSON ends before its array does"],
    [`[${whole},]`, "no JSON"],
    [`[,${whole}]`, "no JSON"],
    [`[${whole} ${whole}]`, "no JSON"],
    [`[${whole}]]`, "no JSON array"],
    [`[${whole}] x`, "no JSON array"],
    ["[1]", "element 0: it is no object"],
    [`[${whole},{"key":[1,2,3],"value":[1,2]}]`, "element 1: key expected 4 bytes got 3"],
    ['[{"key":[1,2,3,4]}]', "element 0: its value is no array of bytes"],
    ['[{"key":[1,2,3,"0x100"],"value":[1,2]}]', "which is no byte"],
    ['[{"key":[1,2,3,1.5],"value":[1,2]}]', "which is no byte"],
    ['[{"key":[1,2,3,4],"value":{"error":"no entry"}}]', "element 0: it has no value: no entry"],
    ['[{"key":[1,2,3,4],"values":[{"cpu":0,"value":[1,2]}]}]', "per-CPU maps only"],
  ])("refuses %s", async (text, message) => {
    // However the file is cut into blocks, the answer is the same.
    for (const cuts of [[], Array.from({ length: text.length }, (_, at) => at)]) {
      await expect(parse(text, hash, cuts)).rejects.toThrow(message);
    }
  });
});

describe("a dump that was edited", () => {
  const line = (byte: string) => `key: 0${byte} 00 00 00  value: 0${byte} 01\n`;
  const item = (byte: string) =>
    `{"key":["0x0${byte}","0x00","0x00","0x00"],"value":["0x0${byte}","0x01"]}`;

  it("is read on where it no longer looks like one", async () => {
    const text = `${line("1")}${line("2")}# mine\nkey 3 0 0 0 value 3 1\n${line("4")}Found 3 elements\n`;
    const elements = {
      count: 4,
      keys: "01000000020000000300000004000000",
      values: "0101020103010401",
    };
    expect(await parse(text, hash)).toEqual(elements);
    const json = `[${item("1")},${item("2")} ,\n{"value":[3,1],"key":[3,0,0,0]},${item("4")}]\n`;
    expect(await parse(json, hash)).toEqual(elements);
  });

  it("is refused with the place of the fault in the whole file", async () => {
    await expect(parse(`${line("1")}${line("2")}key 1 2 3\n`, hash)).rejects.toThrow("line 3: ");
    await expect(parse(`[${item("1")},${item("2")},{}]`, hash)).rejects.toThrow("element 2: ");
    for (const end of ["", ",]", "]]", `${item("3")}]`]) {
      await expect(parse(`[${item("1")},${item("2")}${end}`, hash)).rejects.toThrow();
    }
  });
});

it("reads back what a dump writes, wherever the file is cut into blocks", async () => {
  const shape = fc.record({
    keySize: fc.integer({ min: 1, max: 20 }),
    valueSize: fc.integer({ min: 1, max: 20 }),
    cpus: fc.option(fc.constantFrom([0], [0, 1], [0, 2, 5]), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(
      shape,
      fc.constantFrom("text", "json", "pretty"),
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.nat(4000)),
      async ({ keySize, valueSize, cpus }, form, count, cuts) => {
        const slot = Math.ceil(valueSize / 8) * 8;
        const valueStride = cpus === undefined ? valueSize : slot * cpus.length;
        const keys = someBytes(keySize * count, 1);
        const values = someBytes(valueStride * count, 2);
        if (cpus !== undefined) zeroPadding(values, valueSize, slot);
        const layout =
          form === "text"
            ? textLayout({ keySize, valueSize, cpus })
            : jsonLayout({ keySize, valueSize, cpus }, form === "pretty", 1);
        let text = "";
        for (const slab of new ElementRenderer(layout).render({ count, keys, values })) {
          text += Buffer.from(slab).toString();
        }
        if (form !== "text") text = `[${text.slice(1)}]`;
        expect(await parse(text, { keySize, valueSize, valueStride, cpus }, cuts)).toEqual({
          count,
          keys: Buffer.from(keys).toString("hex"),
          values: Buffer.from(values).toString("hex"),
        });
      },
    ),
    { numRuns: 80 },
  );
});

function zeroPadding(values: Uint8Array, valueSize: number, slot: number): void {
  for (let at = 0; at < values.length; at += slot) values.fill(0, at + valueSize, at + slot);
}

describe("beside bpftool", () => {
  let bpffs: PrivateBpffs;
  beforeAll(() => {
    bpffs = privateBpffs();
    return () => bpffs.dispose();
  });

  it.each([
    ["hash", 4, 8],
    ["hash", 20, 40],
    ["percpu_hash", 4, 8],
    ["percpu_hash", 17, 20],
  ])(
    "reads its dumps of a %s with keys of %i and values of %i",
    async (type, keySize, valueSize) => {
      const pin = `${bpffs.path}/${type}${keySize}`;
      const spec = `type ${type} key ${keySize} value ${valueSize} entries 64 name m`;
      mustBpftool("map", "create", pin, ...spec.split(" "));
      for (let seed = 0; seed < 20; seed++) {
        const key = dataWords(someBytes(keySize, seed));
        const value = dataWords(someBytes(valueSize, seed));
        mustBpftool("map", "update", "pinned", pin, "key", ...key, "value", ...value);
      }
      const dump = (...options: string[]) => mustBpftool(...options, "map", "dump", "pinned", pin);
      const json = JSON.parse(dump("-j")) as { key: string[]; values?: { cpu: number }[] }[];
      const cpus = json[0]?.values?.map(({ cpu }) => cpu);
      const valueStride = cpus ? Math.ceil(valueSize / 8) * 8 * cpus.length : valueSize;
      const target = { keySize, valueSize, valueStride, cpus };
      const fromText = await parse(dump(), target);
      expect(fromText.count).toBe(20);
      expect(fromText.keys).toBe(
        json.map(({ key }) => key.map((byte) => byte.slice(2)).join("")).join(""),
      );
      expect(await parse(dump("-j"), target)).toEqual(fromText);
      expect(await parse(dump("-p"), target)).toEqual(fromText);
    },
  );
});
