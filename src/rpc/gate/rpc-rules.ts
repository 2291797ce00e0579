import type {
  FleetService,
  HostService,
  HostSessionService,
  MapService,
  RelayService,
} from "@bpfmapd/client/proto";
import type { CallerRole, Slot, Verb } from "../../access/index.js";
import type { ServiceRules } from "../adapter/service.js";
import type { Health } from "../gen/grpc/health/v1/health_pb.js";
import type { ServerReflection } from "../gen/grpc/reflection/v1/reflection_pb.js";

/** What the policy asks of the callers of an RPC. */
export interface RpcRule {
  /**
   * All that the caller must have, on each map that the call names. Empty where no map
   * comes into it: for every caller that the policy knows.
   */
  readonly verbs: readonly Verb[];
  /** Whether it changes maps or takes from them, so that it is audited. */
  readonly changes: boolean;
  /** What a call of it takes of its caller's limits, beside being a call, and maybe a stream. */
  readonly slot?: Slot;
  /** What the caller must be in the fleet. */
  readonly role?: CallerRole;
}

const known: RpcRule = { verbs: [], changes: false };
const looks = (...verbs: Verb[]): RpcRule => ({ verbs, changes: false });
const changes = (...verbs: Verb[]): RpcRule => ({ verbs, changes: true });
const scan = (rule: RpcRule): RpcRule => ({ ...rule, slot: "scans" });

/**
 * Who may call MapService: an RPC without a rule does not compile. Handlers ask for more where
 * it depends on the request: pins and holds of CreateMap, the strategy of LoadMap.
 */
export const mapServiceRules: ServiceRules<typeof MapService> = {
  listMaps: looks("list"),
  getMap: looks("list"),
  countElements: scan(looks("read")),
  aggregateElements: scan(looks("read")),
  createMap: changes("create"),
  holdMap: changes("hold"),
  releaseMap: changes("hold"),
  keepAlive: looks("hold"),
  pinMap: changes("pin"),
  unpinMap: changes("pin"),
  freezeMap: changes("freeze"),
  lookupElements: looks("read"),
  updateElements: changes("write"),
  deleteElements: changes("delete"),
  takeElements: changes("read", "delete"),
  nextKey: looks("read"),
  // Each call on it is let in by itself.
  pipeline: known,
  dumpMap: scan(looks("read")),
  loadMap: scan(changes("write")),
  clearMap: scan(changes("delete")),
  pushElements: changes("write"),
  popElements: changes("consume"),
  peekElement: looks("read"),
  readRecords: { ...changes("consume"), slot: "record_streams" },
  writeRecords: { ...changes("write"), slot: "record_streams" },
  readMemory: looks("read"),
  writeMemory: changes("write"),
  getMapSchema: looks("list"),
  watch: { ...looks("watch"), slot: "watches" },
};

/** Who may call HostService. */
export const hostServiceRules: ServiceRules<typeof HostService> = {
  getHost: known,
  getCapabilities: known,
  explainAccess: known,
};

/** Anybody whom the policy knows as more than a host or a relay. */
const caller: RpcRule = { ...known, role: "caller" };
const controller: RpcRule = { ...known, role: "controller" };

/** Who may call FleetService: what it does to maps is decided by each host. */
export const fleetServiceRules: ServiceRules<typeof FleetService> = {
  listHosts: caller,
  watchHosts: caller,
  fanOut: caller,
  aggregate: scan(caller),
  watchFleet: { ...caller, slot: "watches" },
  putMapSet: { ...controller, changes: true },
  patchMapSet: { ...controller, changes: true },
  getMapSet: controller,
  listMapSets: caller,
  deleteMapSet: { ...controller, changes: true },
  watchMapSetStatus: caller,
  controlRollout: { ...controller, changes: true },
  watchRollout: caller,
};

/** Who may open a host's session. */
export const hostSessionServiceRules: ServiceRules<typeof HostSessionService> = {
  connect: { ...known, role: "host" },
  followMapSets: { ...known, role: "host" },
};

/** Who may call a host through this relay for others. */
export const relayServiceRules: ServiceRules<typeof RelayService> = {
  forward: { ...known, role: "relay" },
};

/** Who may call gRPC's own services. */
export const healthRules: ServiceRules<typeof Health> = { check: known, list: known, watch: known };
export const reflectionRules: ServiceRules<typeof ServerReflection> = {
  serverReflectionInfo: known,
};
