import type { WriteRecordsRequest } from "@bpfmapd/client/proto";
import { type RecordHub, readRecords, writeRecords } from "../../records/index.js";
import {
  recordMessage,
  toRecordColumns,
  toRecordRequest,
  toWriteStart,
} from "../messages/record-message.js";
import type { MapServiceHandlers } from "./map-service.js";

/** Streams out of and into rings. */
export function recordHandlers(
  hub: RecordHub,
  maxMessageBytes: number,
): Pick<MapServiceHandlers, "readRecords" | "writeRecords"> {
  return {
    async *readRecords(request, { signal, access }) {
      const steps = readRecords(hub, toRecordRequest(request, maxMessageBytes, access), signal);
      for await (const step of steps) yield recordMessage(step);
    },

    async writeRecords(requests, { signal, access }) {
      const iterator = requests[Symbol.asyncIterator]();
      const first = await iterator.next();
      const start = toWriteStart(first.done ? undefined : first.value, access);
      const { written } = await writeRecords(hub, start, columnsOf(iterator), signal);
      return { written: BigInt(written) };
    },
  };
}

async function* columnsOf(requests: AsyncIterator<WriteRecordsRequest>) {
  for (;;) {
    const next = await requests.next();
    if (next.done) return;
    yield toRecordColumns(next.value);
  }
}
