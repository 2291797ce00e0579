import type { WatchFleetRequest, WatchFleetResponseSchema } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { FleetWatch, FleetWatchEvent } from "../../fleet/index.js";
import { fieldError } from "../../maps/index.js";
import { DEFAULT_CONCURRENCY, hostErrorBytes } from "./fan-out-message.js";

/** What is to be watched on which hosts, without who asks. Throws FIELD_INVALID. */
export function toFleetWatch(request: WatchFleetRequest): Omit<FleetWatch, "origin" | "requestId"> {
  const { selector, watch, positions, concurrency } = request;
  if (!selector) throw fieldError("FIELD_INVALID", "selector", "is required");
  if (!watch) throw fieldError("FIELD_INVALID", "watch", "is required");
  return {
    ...{ selector, watch },
    positions: new Map(positions.map(({ hostId, resumeToken }) => [hostId, resumeToken])),
    concurrency: concurrency || DEFAULT_CONCURRENCY,
  };
}

/** What a watch of a fleet tells. */
export function fleetWatchMessage(
  event: FleetWatchEvent,
): MessageInitShape<typeof WatchFleetResponseSchema> {
  switch (event.kind) {
    case "started":
      return { event: { case: "started", value: { hosts: event.hosts } } };
    case "begun": {
      const { hostId, resumed } = event;
      return { event: { case: "begun", value: { hostId, resumed } } };
    }
    case "message": {
      const { hostId, response } = event;
      return { event: { case: "message", value: { hostId, response } } };
    }
    case "lost": {
      const { hostId, error } = event;
      const value = { hostId, ...(error && { error: hostErrorBytes(error) }) };
      return { event: { case: "lost", value } };
    }
    case "left":
      return { event: { case: "left", value: { hostId: event.hostId } } };
  }
}
