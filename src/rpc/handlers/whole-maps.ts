import type { LoadMapRequest } from "@bpfmapd/client/proto";
import type { CallAccess } from "../../access/index.js";
import {
  aggregateElements,
  clearMap,
  dumpMap,
  type ElementsInput,
  type InputColumn,
  loadMap,
  type MapHost,
} from "../../maps/index.js";
import type { CallContext } from "../adapter/server-call.js";
import { aggregateMessage, toAggregateRequest } from "../messages/aggregate-message.js";
import { dumpMessage, toDumpRequest } from "../messages/dump-message.js";
import { loadResultMessage, toLoadChunk, toLoadStart } from "../messages/load-message.js";
import { toMapRef } from "../messages/map-ref-message.js";
import type { MapServiceHandlers } from "./map-service.js";

/** Calls over whole maps. */
export function wholeMapHandlers(
  host: MapHost,
  maxMessageBytes: number,
): Pick<MapServiceHandlers, "aggregateElements" | "dumpMap" | "loadMap" | "clearMap"> {
  return {
    async aggregateElements(request, { signal, access }) {
      const aggregate = aggregateElements(host, toAggregateRequest(request, access), signal);
      return aggregateMessage(await aggregate);
    },

    async *dumpMap(request, { signal, course, access }) {
      const dump = dumpMap(host, toDumpRequest(request, maxMessageBytes, access), signal);
      for await (const item of dump) {
        if (item.kind === "chunk") {
          const { count, keysLength, valuesLength, textsLength = 0 } = item.chunk;
          course?.streamed?.(count, keysLength + valuesLength + textsLength);
        }
        yield dumpMessage(item);
      }
    },

    async loadMap(requests, call) {
      const { signal, access } = call;
      const iterator = requests[Symbol.asyncIterator]();
      const first = await iterator.next();
      const start = toLoadStart(first.done ? undefined : first.value, access);
      const chunks = chunksOf(iterator, call, access?.needing("write"));
      return loadResultMessage(await loadMap(host, start, chunks, signal));
    },

    async clearMap(request, { signal, access }) {
      const { removed } = await clearMap(host, toMapRef(request.map, access), signal);
      return { removed: BigInt(removed) };
    },
  };
}

async function* chunksOf(
  requests: AsyncIterator<LoadMapRequest>,
  { course, guard, signal }: CallContext,
  access: CallAccess | undefined,
): AsyncGenerator<ElementsInput, void> {
  for (;;) {
    const next = await requests.next();
    if (next.done) return;
    const chunk = toLoadChunk(next.value, access);
    if (guard) await guard.share.elementsWhenDue(chunk.count, signal);
    if (access) access.record.streamed += chunk.count;
    course?.streamed?.(chunk.count, bytesOf(chunk.keys) + bytesOf(chunk.values));
    yield chunk;
  }
}

/** Length of a column as it was sent; a reference to a kernel object has none to speak of. */
function bytesOf(column: InputColumn<unknown>): number {
  if (column instanceof Uint8Array) return column.byteLength;
  if (column.form === "objects") return 0;
  return column.items.reduce((sum, text) => sum + text.length, 0);
}
