import { IfExists } from "@bpfmapd/client/proto";
import {
  createMap,
  freezeMap,
  holdMap,
  keepAlive,
  type MapHost,
  pinMap,
  releaseMap,
  unpinMap,
} from "../../maps/index.js";
import { toColumns } from "../messages/element-message.js";
import { holdMessage, mapMessage } from "../messages/map-message.js";
import { toMapRef } from "../messages/map-ref-message.js";
import { toHold, toMapSpec } from "../messages/map-spec-message.js";
import type { MapServiceHandlers } from "./map-service.js";

/** What begins, prolongs and ends a map's life. */
export function lifeHandlers(
  host: MapHost,
): Pick<
  MapServiceHandlers,
  "createMap" | "holdMap" | "releaseMap" | "keepAlive" | "pinMap" | "unpinMap" | "freezeMap"
> {
  return {
    async createMap(request) {
      const { hold, pinPath, initialElements } = request;
      const { map, created } = await createMap(host, {
        spec: toMapSpec(request.spec),
        createParents: request.createParents,
        ifExists: request.ifExists === IfExists.REUSE_COMPATIBLE ? "reuse_compatible" : "error",
        freeze: request.freeze,
        ...(hold !== undefined && { hold: toHold(hold) }),
        ...(pinPath !== "" && { pinPath }),
        ...(initialElements !== undefined && {
          initialElements: toColumns(initialElements, "initial_elements"),
        }),
      });
      return { map: mapMessage(map), created };
    },

    async holdMap(request) {
      return { map: mapMessage(await holdMap(host, toMapRef(request.map), toHold(request.hold))) };
    },

    async releaseMap(request) {
      await releaseMap(host, request.name);
      return {};
    },

    async keepAlive(request) {
      const holds = await keepAlive(host, request.names);
      return { holds: holds.map(holdMessage) };
    },

    async pinMap(request) {
      await pinMap(host, toMapRef(request.map), request.path, request.createParents);
      return {};
    },

    async unpinMap(request) {
      await unpinMap(host, request.path, request.removeEmptyParents);
      return {};
    },

    async freezeMap(request) {
      await freezeMap(host, toMapRef(request.map));
      return {};
    },
  };
}
