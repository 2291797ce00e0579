import type { HostSessionService } from "@bpfmapd/client/proto";
import type { Principal } from "../../access/index.js";
import type { HostPeer, Relay } from "../../fleet/index.js";
import type { ServiceHandlers } from "../adapter/service.js";
import { callerOf } from "./caller.js";

/** HostSessionService over a relay. */
export function hostSessionHandlers(relay: Relay): ServiceHandlers<typeof HostSessionService> {
  return {
    connect: (requests, context) =>
      relay.sessions.serve(requests, hostPeer(callerOf(context)), context.signal),
    followMapSets: (requests, context) =>
      relay.sets.follow(requests, hostPeer(callerOf(context)), context.signal),
  };
}

function hostPeer({ name, peer, sans, claims }: Principal): HostPeer {
  const subject = typeof claims?.sub === "string" ? claims.sub : undefined;
  return { name, address: peer, sans, subject };
}
