import { type WatchHub, watchMap } from "../../watch/index.js";
import { toWatchRequest, watchMessage } from "../messages/watch-message.js";
import type { MapServiceHandlers } from "./map-service.js";

/** Watches. */
export function watchHandlers(hub: WatchHub): Pick<MapServiceHandlers, "watch"> {
  return {
    async *watch(request, { signal }) {
      const watch = watchMap(hub, toWatchRequest(request), signal);
      for await (const item of watch) yield watchMessage(item);
    },
  };
}
