import type { MapService } from "@bpfmapd/client/proto";
import type { MapHost } from "../../maps/index.js";
import type { WatchHub } from "../../watch/index.js";
import type { ServiceHandlers } from "../adapter/service.js";
import { catalogueHandlers } from "./catalogue.js";
import { elementHandlers } from "./elements.js";
import { lifeHandlers } from "./life.js";
import { queueHandlers } from "./queues.js";
import { watchHandlers } from "./watch.js";
import { wholeMapHandlers } from "./whole-maps.js";

/** The handlers of MapService. */
export type MapServiceHandlers = ServiceHandlers<typeof MapService>;

/** MapService over a host's maps. */
export function mapServiceHandlers(
  host: MapHost,
  hub: WatchHub,
  maxMessageBytes: number,
): MapServiceHandlers {
  return {
    ...catalogueHandlers(host),
    ...lifeHandlers(host),
    ...elementHandlers(host),
    ...wholeMapHandlers(host, maxMessageBytes),
    ...queueHandlers(host),
    ...watchHandlers(hub),
  };
}
