import { ByteOrder, type HostService } from "@bpfmapd/client/proto";
import type { MapHost } from "../../maps/index.js";
import type { ServiceHandlers } from "../adapter/service.js";
import { capabilityMessage, unknownCapabilityMessage } from "../messages/capability-message.js";
import { explainAccessRequest } from "./explain-access.js";

/** What HostService tells beside what the maps floor knows. */
export interface DaemonIdentity {
  /** Version of the daemon. */
  readonly version: string;
  /** Largest message, in bytes. */
  readonly maxMessageBytes: number;
}

/** HostService over a host. */
export function hostServiceHandlers(
  host: MapHost,
  daemon: DaemonIdentity,
): ServiceHandlers<typeof HostService> {
  return {
    async getHost() {
      const { identity } = host;
      return {
        host: {
          bootId: identity.bootId,
          hostname: identity.hostname,
          kernelRelease: identity.kernelRelease,
          machine: identity.machine,
          byteOrder: identity.littleEndian ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN,
          possibleCpus: [...identity.possibleCpus],
          onlineCpus: host.onlineCpus(),
          pageSize: identity.pageSize,
          daemonVersion: daemon.version,
          bpffsRoots: [...identity.bpffsRoots],
          missingCapabilities: identity.missingCapabilities.map(({ name, consequence }) => ({
            name,
            consequence,
          })),
          maxMessageBytes: daemon.maxMessageBytes,
        },
      };
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
