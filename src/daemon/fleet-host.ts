import { hostname } from "node:os";
import { dirname, join } from "node:path";
import {
  type CallOrigin,
  type HostRegistration,
  HostRegistrationSchema,
} from "@bpfmapd/client/proto";
import { create } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import {
  type AccessControl,
  certificatePeer,
  type Principal,
  type WatchedFiles,
} from "../access/index.js";
import {
  type DialedRelay,
  type DialRelay,
  type DialTls,
  dialRelay,
  duplexPair,
  HostAgent,
  HostSets,
  localLink,
  type Relay,
  systemClock,
} from "../fleet/index.js";
import type { MapHost } from "../maps/index.js";
import { carriedCaller, hostMessage, type RpcServer } from "../rpc/index.js";
import type { Config } from "./config.js";
import { followTls } from "./fleet-tls.js";

/** The relay in the same process. */
const LOCAL = "local";

/** What of a daemon a fleet sees. */
export interface FleetHostParts {
  readonly host: MapHost;
  readonly rpc: RpcServer;
  readonly control: AccessControl | undefined;
  /** The relay in the same process; absent where others are dialed. */
  readonly relay: Relay | undefined;
  readonly version: string;
  readonly log: Logger;
}

/** This host in its fleet. */
export interface JoinedFleet {
  stop(): Promise<void>;
}

/** Joins the fleet of the configuration; undefined where there is none. Throws a StartError. */
export function joinFleet(config: Config, parts: FleetHostParts): JoinedFleet | undefined {
  const { fleet, limits } = config;
  if (!fleet.enabled && fleet.join.length === 0) return undefined;
  const { rpc, control, log } = parts;
  const tls = followTls(fleet.tls, log);
  const connect = (relay: DialedRelay, origin: CallOrigin) => {
    const [ours, theirs] = duplexPair();
    ours.on("error", (error) => log.debug({ err: error.message }, "connection of a session broke"));
    rpc.accept(ours, () => callerBy(relay, origin, control));
    return theirs;
  };
  const sets = new HostSets({
    directory: fleet.host_directory ?? join(dirname(fleet.store.directory), "host"),
    verifyMs: fleet.verify_ms,
    ...{ connect, clock: systemClock, log },
  });
  const agent = new HostAgent({
    relays: fleet.enabled ? [LOCAL] : fleet.join,
    dial: dialer(fleet, parts, tls),
    register: () => registration(config, parts),
    connect,
    checkRelay: (relay) => void trusted(relay, control),
    onSession: (session) => sets.follow(session),
    maxMessageBytes: limits.max_message_bytes,
    ...{ clock: systemClock, log },
  });
  control?.onPolicyChange(() => agent.recheckRelays());
  tls?.onChange(() => agent.reconnect("the certificates of fleet.tls have changed"));
  agent.start();
  return {
    async stop() {
      tls?.close();
      await sets.stop();
      await agent.stop();
    },
  };
}

function dialer(
  fleet: Config["fleet"],
  { relay }: FleetHostParts,
  tls: WatchedFiles<DialTls> | undefined,
): DialRelay {
  return (address) => {
    if (relay && address === LOCAL) return localLink(relay, hostId(fleet));
    return dialRelay(address, tls?.value);
  };
}

function callerBy(
  relay: DialedRelay,
  origin: CallOrigin,
  control: AccessControl | undefined,
): Principal {
  const { name } = trusted(relay, control);
  return carriedCaller(origin, { name, isHere: isHere(relay) });
}

/** Who a relay is. Throws RELAY_NOT_TRUSTED where it may not speak for others. */
function trusted(relay: DialedRelay, control: AccessControl | undefined): Principal {
  const who = relayPrincipal(relay);
  if (relay.address !== LOCAL) control?.requireRole(who, "relay");
  return who;
}

function relayPrincipal({ address, subjectAltName, subject = "", uid }: DialedRelay): Principal {
  if (address === LOCAL) return { name: LOCAL, peer: LOCAL, sans: [] };
  if (uid === undefined) return certificatePeer(address, subjectAltName, subject);
  return { name: `uid ${uid}`, peer: address, sans: [], unix: { uid, gids: [], pid: 0 } };
}

function isHere({ address }: DialedRelay): boolean {
  return address === LOCAL || address.startsWith("unix:");
}

function hostId({ host_id: id }: Config["fleet"]): string {
  return id ?? hostname();
}

function registration(
  { fleet, limits }: Config,
  { host, version }: FleetHostParts,
): HostRegistration {
  return create(HostRegistrationSchema, {
    hostId: hostId(fleet),
    labels: fleet.labels,
    host: hostMessage(host, { version, maxMessageBytes: limits.max_message_bytes }),
    mapTypes: host.capabilities
      .all()
      .filter(({ availability }) => availability === "available")
      .map(({ type }) => type),
  });
}
