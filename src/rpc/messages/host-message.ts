import { ByteOrder, type HostSchema } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { MapHost } from "../../maps/index.js";

/** What is told of the daemon beside what the maps floor knows. */
export interface DaemonIdentity {
  /** Version of the daemon. */
  readonly version: string;
  /** Largest message, in bytes. */
  readonly maxMessageBytes: number;
}

/** A host, as the contract tells it. */
export function hostMessage(
  host: MapHost,
  daemon: DaemonIdentity,
): MessageInitShape<typeof HostSchema> {
  const { identity } = host;
  return {
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
  };
}
