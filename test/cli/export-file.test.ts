import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ByteOrder,
  DumpSummarySchema,
  ElementsSchema,
  HostSchema,
  MapSchema,
  MapType,
} from "@bpfmapd/client/proto";
import { create } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, it } from "vitest";
import { checkExport, isExportFile, readExport } from "#dist/cli/files/export-reader.js";
import { ExportWriter } from "#dist/cli/files/export-writer.js";
import { writeNewFile } from "#dist/cli/files/new-file.js";
import { someBytes } from "./support/bpftool.js";

const host = create(HostSchema, { byteOrder: ByteOrder.LITTLE_ENDIAN });
const map = create(MapSchema, {
  id: 5,
  type: MapType.HASH,
  name: "stats",
  keySize: 2,
  valueSize: 3,
  valueStride: 3,
  maxEntries: 16,
});

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "bpfmapctl-export-"));
  return () => rmSync(directory, { recursive: true });
});

/** An export with two chunks, of two elements and of one. */
async function exportBytes(complete = true): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const writer = new ExportWriter(host, async (bytes) => {
    parts.push(bytes);
  });
  await writer.header(map);
  for (const count of [2, 1]) {
    await writer.elements(
      create(ElementsSchema, {
        count,
        keys: someBytes(2 * count, count),
        values: someBytes(3 * count, count),
      }),
    );
  }
  await writer.summary(create(DumpSummarySchema, { complete }));
  return Buffer.concat(parts);
}

async function withBytes<T>(
  bytes: Uint8Array,
  work: (file: Awaited<ReturnType<typeof open>>) => Promise<T>,
): Promise<T> {
  const path = join(directory, `file-${Math.random()}`);
  writeFileSync(path, bytes);
  const file = await open(path);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

it("reads back the map and the elements that were written", async () => {
  await withBytes(await exportBytes(), async (file) => {
    expect(await isExportFile(file)).toBe(true);
    const checked = await checkExport(file);
    expect(checked.map).toEqual(map);
    expect(checked.header.littleEndian).toBe(true);
    expect(checked.trailer).toMatchObject({ count: 3n, complete: true });
    const counts = [];
    for await (const elements of readExport(file, checked)) counts.push(elements.count);
    expect(counts).toEqual([2, 1]);
  });
});

it("tells that the dump was not complete", async () => {
  const checked = await withBytes(await exportBytes(false), checkExport);
  expect(checked.trailer.complete).toBe(false);
});

it("refuses a file that was cut, wherever", async () => {
  const bytes = await exportBytes();
  for (let length = 0; length < bytes.length; length++) {
    await expect(withBytes(bytes.subarray(0, length), checkExport)).rejects.toThrow(
      /it was cut|no export|damaged/,
    );
  }
});

it("refuses a file in which any byte of an element was changed", async () => {
  const bytes = await exportBytes();
  for (const column of [someBytes(4, 2), someBytes(6, 2), someBytes(2, 1), someBytes(3, 1)]) {
    const at = bytes.indexOf(column);
    for (let index = 0; index < column.length; index++) {
      const changed = Buffer.from(bytes);
      changed[at + index]! ^= 0x10;
      await expect(withBytes(changed, checkExport)).rejects.toThrow(
        "it is damaged: its checksum is wrong",
      );
    }
  }
});

it("never gives out another map or other elements, whichever byte is changed", async () => {
  const bytes = await exportBytes();
  const written = [2, 1].map((count) => hexOf(someBytes(2 * count, count)));
  const { header } = await withBytes(bytes, checkExport);
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 0x01;
    await withBytes(changed, async (file) => {
      // Only the trailer's own word on completeness can change unnoticed.
      const checked = await checkExport(file).catch(() => undefined);
      if (checked === undefined) return;
      expect(checked.header).toEqual(header);
      const read: string[] = [];
      for await (const { keys } of readExport(file, checked)) read.push(hexOf(keys));
      expect(read).toEqual(written);
    });
  }
});

it.each([
  ["more after the trailer", (bytes: Buffer) => Buffer.concat([bytes, bytes])],
  ["text", () => Buffer.from('[{"key":[1]}]')],
  ["nothing", () => Buffer.alloc(0)],
  ["zeros", () => Buffer.alloc(1000)],
  ["a length without end", () => Buffer.alloc(20, 0xff)],
])("refuses %s", async (_what, damage) => {
  const bytes = damage(await exportBytes());
  await expect(withBytes(bytes, checkExport)).rejects.toThrow();
});

it("knows an export from text and JSON", async () => {
  for (const text of ["", "key 1 value 2\n", "[\n{}]", '[{"key":["0x00"]}]', "\n\n\n"]) {
    expect(await withBytes(Buffer.from(text), isExportFile)).toBe(false);
  }
});

it("refuses a file that changed between the check and the reading", async () => {
  const bytes = await exportBytes();
  const path = join(directory, "changing");
  writeFileSync(path, bytes);
  const file = await open(path);
  const checked = await checkExport(file);
  const changed = Buffer.from(bytes);
  changed[bytes.indexOf(someBytes(3, 1))]! ^= 1;
  writeFileSync(path, changed);
  const read = async () => {
    const counts = [];
    for await (const elements of readExport(file, checked)) counts.push(elements.count);
    return counts;
  };
  await expect(read()).rejects.toThrow("it is damaged");
  await file.close();
});

describe("a new file", () => {
  it("appears when it is whole, and only then", async () => {
    const path = join(directory, "whole");
    await writeNewFile(path, false, async (file) => {
      await file.writeFile("text");
      expect(await readdir(directory)).not.toContain("whole");
    });
    expect(readFileSync(path, "utf8")).toBe("text");
  });

  it("leaves nothing where writing fails", async () => {
    const before = await readdir(directory);
    const failing = writeNewFile(join(directory, "failed"), false, async () => {
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await readdir(directory)).toEqual(before);
  });

  it("replaces another only where that is forced", async () => {
    const path = join(directory, "taken");
    writeFileSync(path, "old");
    const write = (force: boolean) =>
      writeNewFile(path, force, async (file) => {
        await file.writeFile("new");
      });
    await expect(write(false)).rejects.toThrow(`${path} exists; --force replaces it`);
    expect(readFileSync(path, "utf8")).toBe("old");
    await write(true);
    expect(readFileSync(path, "utf8")).toBe("new");
  });
});
