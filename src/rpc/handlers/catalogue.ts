import type { ListMapsFilter as FilterMessage } from "@bpfmapd/client/proto";
import {
  countElements,
  getMap,
  getMapSchema,
  type ListMapsFilter,
  listMaps,
  type MapHost,
} from "../../maps/index.js";
import { toElementFilter, toTyping } from "../messages/element-message.js";
import { mapMessage, toMapDetail } from "../messages/map-message.js";
import { toMapRef } from "../messages/map-ref-message.js";
import { decodePageToken, encodePageToken } from "../messages/page-token.js";
import { schemaMessage } from "../messages/schema-message.js";
import type { MapServiceHandlers } from "./map-service.js";

const DEFAULT_PAGE_SIZE = 1000;

/** ListMaps, GetMap, CountElements and GetMapSchema. */
export function catalogueHandlers(
  host: MapHost,
): Pick<MapServiceHandlers, "listMaps" | "getMap" | "countElements" | "getMapSchema"> {
  return {
    async listMaps(request, { access }) {
      const afterId = decodePageToken(request.pageToken);
      const filter = toMapFilter(request.filter);
      const { maps, nextAfterId } = await listMaps(host, {
        pageSize: request.pageSize || DEFAULT_PAGE_SIZE,
        detail: toMapDetail(request.detail),
        access,
        ...(afterId !== undefined && { afterId }),
        ...(filter !== undefined && { filter }),
      });
      return {
        maps: maps.map(mapMessage),
        nextPageToken: nextAfterId === undefined ? "" : encodePageToken(nextAfterId),
      };
    },

    async getMap(request, { access }) {
      const map = await getMap(host, toMapRef(request.map, access), toMapDetail(request.detail));
      return { map: mapMessage(map) };
    },

    async countElements(request, { signal, access }) {
      const filter = toElementFilter(request.filter);
      const { count, maxEntries, complete } = await countElements(
        host,
        toMapRef(request.map, access),
        filter,
        signal,
        toTyping(request.typing),
      );
      return { count: BigInt(count), maxEntries, complete };
    },

    async getMapSchema(request, { access }) {
      const schema = await getMapSchema(
        host,
        toMapRef(request.map, access),
        toTyping(request.typing),
      );
      return { schema: schemaMessage(schema) };
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
