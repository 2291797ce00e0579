import { MapError } from "../../maps/index.js";

/** Who opened a host's session, as far as it was proven. */
export interface HostPeer {
  /** For people, such as "spiffe://example.org/host/node-1" or "uid 0". */
  readonly name: string;
  /** Address and port, "unix", or "local" for one process. */
  readonly address: string;
  /** URI and DNS names of its certificate. */
  readonly sans: readonly string[];
  /** The subject of its token, if it has one. */
  readonly subject?: string | undefined;
}

/**
 * Throws HOST_NOT_PROVEN unless the peer has proven the id: as a DNS name of its certificate, as
 * the last part of a URI of it, or as the subject of its token. On the relay's own machine the id
 * is believed.
 */
export function checkHostId(hostId: string, { name, address, sans, subject }: HostPeer): void {
  if (address === "unix" || address === "local") return;
  const names = subject === undefined ? sans : [...sans, subject];
  if (names.some((one) => one === hostId || lastPart(one) === hostId)) return;
  throw new MapError(
    "HOST_NOT_PROVEN",
    `${name} cannot register as host ${hostId}: give its certificate the DNS name ${hostId} or a URI that ends with /${hostId}, or set fleet.host_id to a name that it has`,
    { metadata: { host: hostId, caller: name } },
  );
}

/** Of "spiffe://example.org/host/node-1" it is "node-1". */
function lastPart(name: string): string | undefined {
  return name.includes("://") ? name.slice(name.lastIndexOf("/") + 1) : undefined;
}
