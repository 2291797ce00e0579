import { type DumpRequest, type DumpSummary, dumpMap, type MapHost } from "#dist/maps/index.js";
import { rows } from "./elements.js";

/** A whole dump, its elements as pairs. */
export interface Dumped {
  readonly elements: [Buffer, Buffer][];
  readonly chunks: { count: number; bytes: number }[];
  readonly valueStride: number;
  readonly summary: DumpSummary;
}

/** Dumps a map by id to the end. */
export async function dumped(
  host: MapHost,
  id: number,
  request: Partial<DumpRequest> = {},
): Promise<Dumped> {
  const elements: [Buffer, Buffer][] = [];
  const chunks: { count: number; bytes: number }[] = [];
  let keySize = 0;
  let valueStride = 0;
  const asked: DumpRequest = {
    map: { by: "id", id },
    projection: "keys_and_values",
    room: { before: 3, between: 5 },
    ...request,
  };
  for await (const item of dumpMap(host, asked, new AbortController().signal)) {
    if (item.kind === "header") {
      keySize = asked.projection === "values" ? 0 : item.map.keySize;
      valueStride = item.valueStride;
    } else if (item.kind === "chunk") {
      const { count, buffer, keysLength, valuesLength } = item.chunk;
      const { before, between } = asked.room;
      const keys = Buffer.from(buffer).subarray(before, before + keysLength);
      const values = Buffer.from(buffer).subarray(before + keysLength + between);
      const [keyRows, valueRows] = [
        keySize ? rows(keys, keySize) : [],
        valueStride ? rows(values, valueStride) : [],
      ];
      for (let row = 0; row < count; row++) {
        elements.push([keyRows[row] ?? Buffer.alloc(0), valueRows[row] ?? Buffer.alloc(0)]);
      }
      chunks.push({ count, bytes: keysLength + valuesLength });
    } else if (item.kind === "summary") {
      return { elements, chunks, valueStride, summary: item.summary };
    }
  }
  throw new Error("the dump ended without a summary");
}
