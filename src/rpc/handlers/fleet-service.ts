import type { FleetService } from "@bpfmapd/client/proto";
import type { HostEvent, Relay } from "../../fleet/index.js";
import type { ServiceHandlers } from "../adapter/service.js";
import { callOrigin } from "../messages/caller-message.js";
import { fanOutMessage, toFanOut } from "../messages/fan-out-message.js";
import { aggregateRoundMessage, toAggregateCall } from "../messages/fleet-aggregate-message.js";
import { fleetWatchMessage, toFleetWatch } from "../messages/fleet-watch-message.js";
import { decodeTextToken, encodeTextToken } from "../messages/page-token.js";
import { callerOf } from "./caller.js";
import { mapSetHandlers } from "./map-sets.js";
import { rolloutHandlers } from "./rollouts.js";

const DEFAULT_PAGE_SIZE = 1000;

/** FleetService over a relay. */
export function fleetServiceHandlers(relay: Relay): ServiceHandlers<typeof FleetService> {
  return {
    async listHosts({ selector, pageSize, pageToken }) {
      const after = decodeTextToken(pageToken);
      const limit = pageSize || DEFAULT_PAGE_SIZE;
      const { hosts, nextAfter } = await relay.listHosts(selector, after, limit);
      const nextPageToken = nextAfter === undefined ? "" : encodeTextToken(nextAfter);
      return { hosts: [...hosts], nextPageToken };
    },

    async *watchHosts({ selector }, { signal }) {
      for await (const event of relay.watchHosts(selector, signal)) yield hostEventMessage(event);
    },

    async *fanOut(request, context) {
      const { method, ...fan } = toFanOut(request);
      const { requestId, signal } = context;
      const origin = callOrigin(callerOf(context));
      for await (const event of relay.fanOut({ ...fan, origin, requestId }, signal)) {
        yield fanOutMessage(method, event);
      }
    },

    async *aggregate(request, context) {
      const { requestId, signal } = context;
      const origin = callOrigin(callerOf(context));
      const call = { ...toAggregateCall(request), origin, requestId };
      for await (const round of relay.aggregate(call, signal)) yield aggregateRoundMessage(round);
    },

    async *watchFleet(request, context) {
      const { requestId, signal } = context;
      const origin = callOrigin(callerOf(context));
      const fleet = { ...toFleetWatch(request), origin, requestId };
      for await (const event of relay.watchFleet(fleet, signal)) yield fleetWatchMessage(event);
    },

    ...mapSetHandlers(relay.sets),
    ...rolloutHandlers(relay.sets),
  };
}

function hostEventMessage(event: HostEvent) {
  switch (event.kind) {
    case "host":
      return { event: { case: "host" as const, value: event.host } };
    case "removed":
      return { event: { case: "removedHostId" as const, value: event.hostId } };
    case "synced":
      return { event: { case: "synced" as const, value: { hosts: event.hosts } } };
  }
}
