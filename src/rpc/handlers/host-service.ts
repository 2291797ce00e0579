import type { HostService } from "@bpfmapd/client/proto";
import type { MapHost } from "../../maps/index.js";
import type { ServiceHandlers } from "../adapter/service.js";
import { capabilityMessage, unknownCapabilityMessage } from "../messages/capability-message.js";
import { type DaemonIdentity, hostMessage } from "../messages/host-message.js";
import { explainAccessRequest } from "./explain-access.js";

/** HostService over a host. */
export function hostServiceHandlers(
  host: MapHost,
  daemon: DaemonIdentity,
): ServiceHandlers<typeof HostService> {
  return {
    async getHost() {
      return { host: hostMessage(host, daemon) };
    },

    async getCapabilities({ types }) {
      if (types.length === 0) return { types: host.capabilities.all().map(capabilityMessage) };
      const wanted = [...new Set(types)].sort((a, b) => a - b);
      return {
        types: wanted.map((type) => {
          const known = host.capabilities.of(type);
          return known === undefined ? unknownCapabilityMessage(type) : capabilityMessage(known);
        }),
      };
    },

    explainAccess: (request, { access }) => explainAccessRequest(host, request, access),
  };
}
