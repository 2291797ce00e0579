import type { ListMapsFilter as FilterMessage } from "@bpfmapd/client/proto";
import {
  countElements,
  getMap,
  type ListMapsFilter,
  listMaps,
  type MapHost,
} from "../../maps/index.js";
import { toElementFilter } from "../messages/element-message.js";
import { mapMessage, toMapDetail } from "../messages/map-message.js";
import { toMapRef } from "../messages/map-ref-message.js";
import { decodePageToken, encodePageToken } from "../messages/page-token.js";
import type { MapServiceHandlers } from "./map-service.js";

const DEFAULT_PAGE_SIZE = 1000;

/** ListMaps, GetMap and CountElements. */
export function catalogueHandlers(
  host: MapHost,
): Pick<MapServiceHandlers, "listMaps" | "getMap" | "countElements"> {
  return {
    async listMaps(request) {
      const afterId = decodePageToken(request.pageToken);
      const filter = toMapFilter(request.filter);
      const { maps, nextAfterId } = await listMaps(host, {
        pageSize: request.pageSize || DEFAULT_PAGE_SIZE,
        detail: toMapDetail(request.detail),
        ...(afterId !== undefined && { afterId }),
        ...(filter !== undefined && { filter }),
      });
      return {
        maps: maps.map(mapMessage),
        nextPageToken: nextAfterId === undefined ? "" : encodePageToken(nextAfterId),
      };
    },

    async getMap(request) {
      const map = await getMap(host, toMapRef(request.map), toMapDetail(request.detail));
      return { map: mapMessage(map) };
    },

    async countElements(request, { signal }) {
      const filter = toElementFilter(request.filter);
      const { count, maxEntries, complete } = await countElements(
        host,
        toMapRef(request.map),
        filter,
        signal,
      );
      return { count: BigInt(count), maxEntries, complete };
    },
  };
}

function toMapFilter(message: FilterMessage | undefined): ListMapsFilter | undefined {
  if (message === undefined) return undefined;
  const { nameGlob, types, pinned, held } = message;
  return {
    ...(nameGlob !== "" && { nameGlob }),
    ...(types.length > 0 && { types }),
    ...(pinned !== undefined && { pinned }),
    ...(held !== undefined && { held }),
  };
}
