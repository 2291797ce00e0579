import { type WatchHub, watchMap } from "../../watch/index.js";
import { toWatchRequest, watchMessage } from "../messages/watch-message.js";
import type { MapServiceHandlers } from "./map-service.js";

/** Watches. */
export function watchHandlers(hub: WatchHub): Pick<MapServiceHandlers, "watch"> {
  return {
    async *watch(request, { signal, course, access, guard }) {
      const watch = watchMap(hub, toWatchRequest(request, access, guard?.share), signal);
      for await (const item of watch) {
        if (item.kind === "events") {
          const { puts, deletes } = item.events;
          const bytes = puts.keys.length + puts.values.length + deletes.keys.length;
          course?.streamed?.(puts.count + deletes.count, bytes);
        }
        yield watchMessage(item);
      }
    },
  };
}
