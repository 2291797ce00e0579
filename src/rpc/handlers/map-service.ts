import type { MapService } from "@bpfmapd/client/proto";
import type { MapHost } from "../../maps/index.js";
import type { RecordHub } from "../../records/index.js";
import type { WatchHub } from "../../watch/index.js";
import type { ServiceHandlers } from "../adapter/service.js";
import { catalogueHandlers } from "./catalogue.js";
import { elementHandlers } from "./elements.js";
import { lifeHandlers } from "./life.js";
import { memoryHandlers } from "./memory.js";
import { queueHandlers } from "./queues.js";
import { recordHandlers } from "./records.js";
import { watchHandlers } from "./watch.js";
import { wholeMapHandlers } from "./whole-maps.js";

/** The handlers of MapService. */
export type MapServiceHandlers = ServiceHandlers<typeof MapService>;

/** MapService over a host's maps, but for calls of it in a pipeline. */
export function mapServiceHandlers(
  host: MapHost,
  hub: WatchHub,
  records: RecordHub,
  maxMessageBytes: number,
): Omit<MapServiceHandlers, "pipeline"> {
  return {
    ...catalogueHandlers(host),
    ...lifeHandlers(host),
    ...elementHandlers(host),
    ...wholeMapHandlers(host, maxMessageBytes),
    ...queueHandlers(host),
    ...watchHandlers(hub),
    ...recordHandlers(records, maxMessageBytes),
    ...memoryHandlers(host),
  };
}
