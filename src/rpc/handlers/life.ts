import { IfExists } from "@bpfmapd/client/proto";
import type { Verb } from "../../access/index.js";
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
import { toElementsInput, toTyping } from "../messages/element-message.js";
import { holdMessage, mapMessage } from "../messages/map-message.js";
import { toMapRef } from "../messages/map-ref-message.js";
import { toHold, toMapSpec } from "../messages/map-spec-message.js";
import type { MapServiceHandlers } from "./map-service.js";

const HOLD: readonly Verb[] = ["hold"];
const PIN: readonly Verb[] = ["pin"];

/** What begins, prolongs and ends a map's life. */
export function lifeHandlers(
  host: MapHost,
): Pick<
  MapServiceHandlers,
  "createMap" | "holdMap" | "releaseMap" | "keepAlive" | "pinMap" | "unpinMap" | "freezeMap"
> {
  return {
    async createMap(request, { access, guard }) {
      const { hold, pinPath, initialElements } = request;
      if (initialElements) guard?.share.takeElements(initialElements.count);
      const { map, created } = await createMap(host, {
        spec: toMapSpec(request.spec, access?.needing("read")),
        createParents: request.createParents,
        ifExists: request.ifExists === IfExists.REUSE_COMPATIBLE ? "reuse_compatible" : "error",
        freeze: request.freeze,
        typing: toTyping(request.typing),
        access: access?.needing("create", ...(hold ? HOLD : []), ...(pinPath ? PIN : [])),
        ...(hold !== undefined && { hold: toHold(hold, guard) }),
        ...(pinPath !== "" && { pinPath }),
        ...(initialElements !== undefined && {
          initialElements: toElementsInput(
            initialElements,
            access?.needing("write"),
            "initial_elements",
          ),
        }),
      });
      return { map: mapMessage(map), created };
    },

    async holdMap(request, { access, guard }) {
      const hold = toHold(request.hold, guard);
      return { map: mapMessage(await holdMap(host, toMapRef(request.map, access), hold)) };
    },

    async releaseMap(request, { access }) {
      await releaseMap(host, request.name, access);
      return {};
    },

    async keepAlive(request, { access }) {
      const holds = await keepAlive(host, request.names, access);
      return { holds: holds.map(holdMessage) };
    },

    async pinMap(request, { access }) {
      await pinMap(host, toMapRef(request.map, access), request.path, request.createParents);
      return {};
    },

    async unpinMap(request, { access }) {
      await unpinMap(host, request.path, request.removeEmptyParents, access);
      return {};
    },

    async freezeMap(request, { access }) {
      await freezeMap(host, toMapRef(request.map, access));
      return {};
    },
  };
}
