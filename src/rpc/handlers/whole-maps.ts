import type { LoadMapRequest } from "@bpfmapd/client/proto";
import { type Columns, clearMap, dumpMap, loadMap, type MapHost } from "../../maps/index.js";
import { dumpMessage, toDumpRequest } from "../messages/dump-message.js";
import { loadResultMessage, toLoadChunk, toLoadStart } from "../messages/load-message.js";
import { toMapRef } from "../messages/map-ref-message.js";
import type { MapServiceHandlers } from "./map-service.js";

/** Streams over whole maps. */
export function wholeMapHandlers(
  host: MapHost,
  maxMessageBytes: number,
): Pick<MapServiceHandlers, "dumpMap" | "loadMap" | "clearMap"> {
  return {
    async *dumpMap(request, { signal }) {
      const dump = dumpMap(host, toDumpRequest(request, maxMessageBytes), signal);
      for await (const item of dump) yield dumpMessage(item);
    },

    async loadMap(requests, { signal }) {
      const iterator = requests[Symbol.asyncIterator]();
      const first = await iterator.next();
      const start = toLoadStart(first.done ? undefined : first.value);
      return loadResultMessage(await loadMap(host, start, chunksOf(iterator), signal));
    },

    async clearMap(request, { signal }) {
      const { removed } = await clearMap(host, toMapRef(request.map), signal);
      return { removed: BigInt(removed) };
    },
  };
}

async function* chunksOf(requests: AsyncIterator<LoadMapRequest>): AsyncGenerator<Columns, void> {
  for (;;) {
    const next = await requests.next();
    if (next.done) return;
    yield toLoadChunk(next.value);
  }
}
