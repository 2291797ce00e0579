import type { Duplex } from "node:stream";
import {
  ErrorInfoSchema,
  FleetService,
  HostService,
  HostSessionService,
  MapService,
  RelayService,
  StatusSchema,
} from "@bpfmapd/client/proto";
import { type ConnectionInjector, Server, ServerCredentials } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { AccessControl, Principal } from "../access/index.js";
import type { Relay } from "../fleet/index.js";
import type { MapHost } from "../maps/index.js";
import type { RecordHub } from "../records/index.js";
import type { WatchHub } from "../watch/index.js";
import type { CallRuntime } from "./adapter/runtime.js";
import { addService } from "./adapter/service.js";
import { CallCourses } from "./call-courses.js";
import { type CallObserver, joinObservers } from "./call-observer.js";
import { callStatusInterceptor } from "./call-status.js";
import { cutStreamInterceptor } from "./cut-streams.js";
import { DescriptorIndex } from "./descriptor-index.js";
import { Audit, type AuditOptions } from "./gate/audit.js";
import { CallGate } from "./gate/call-gate.js";
import {
  fleetServiceRules,
  hostServiceRules,
  hostSessionServiceRules,
  mapServiceRules,
  relayServiceRules,
} from "./gate/rpc-rules.js";
import { Health } from "./gen/grpc/health/v1/health_pb.js";
import { frameInPlaceInterceptor } from "./grpc-frame.js";
import { fleetServiceHandlers } from "./handlers/fleet-service.js";
import { hostServiceHandlers } from "./handlers/host-service.js";
import { hostSessionHandlers } from "./handlers/host-session.js";
import { mapServiceHandlers } from "./handlers/map-service.js";
import { relayServiceHandlers } from "./handlers/relay-service.js";
import { HealthService } from "./health.js";
import { onHttp2Server } from "./http2-server.js";
import { shortenDeadlines } from "./long-deadlines.js";
import { pipelineHandler } from "./pipeline.js";
import { addReflection, reflectionServices } from "./reflection.js";
import { requestLog } from "./request-log.js";
import { closeUseless } from "./useless-connections.js";
import { validate, warmValidation } from "./validation.js";

const MAP_SERVICES = [MapService, HostService] as const;
const FLEET_SERVICES = [FleetService, HostSessionService, RelayService] as const;

/** How long calls that were aborted at the end of a shutdown have to send their status. */
const LAST_WORDS_MS = 500;

/** A host's maps, and what goes on in them. */
export interface ServedMaps {
  readonly host: MapHost;
  readonly hub: WatchHub;
  readonly records: RecordHub;
}

export interface RpcServerOptions {
  /** The maps to serve; absent for none. */
  readonly maps?: ServedMaps | undefined;
  /** The fleet to serve as its relay; absent for none. */
  readonly relay?: Relay | undefined;
  /** Version of the daemon, for HostService.GetHost. */
  readonly version: string;
  /** Largest message in either direction, in bytes. */
  readonly maxMessageBytes: number;
  /** How long a connection may take to begin with HTTP/2, in milliseconds. */
  readonly handshakeTimeoutMs: number;
  /** How long a unary call may take, in milliseconds, whatever its deadline. */
  readonly maxCallMs: number;
  readonly log: Logger;
  /** Who may call what; absent where everybody who is connected may, and nothing is audited. */
  readonly access?: AccessControl | undefined;
  /** How changes and denials are audited; absent where they are not. */
  readonly audit?: AuditOptions | undefined;
  /** Told of every call. */
  readonly observers?: readonly CallObserver[];
}

/**
 * The gRPC server of a host's maps, of a fleet, or both, with health and reflection. It listens
 * nowhere; connections are given to it.
 */
export class RpcServer {
  readonly #server: Server;
  readonly #injector: ConnectionInjector;
  readonly #health: HealthService;
  readonly #streamsStopping = new AbortController();
  readonly #unaryStopping = new AbortController();
  readonly #connections = new Set<Duplex>();
  readonly #gate: CallGate;
  readonly #log: Logger;

  constructor({
    maps,
    relay,
    version,
    maxMessageBytes,
    handshakeTimeoutMs,
    maxCallMs,
    log,
    access,
    audit,
    observers = [],
  }: RpcServerOptions) {
    const contract = [...(maps ? MAP_SERVICES : []), ...(relay ? FLEET_SERVICES : [])];
    const courses = coursesOf(observers, log);
    const reportDefect = (err: unknown, rpc: string, peer?: string) =>
      log.error({ err, rpc, peer }, "defect");
    this.#log = log;
    this.#gate = new CallGate({
      control: access,
      audit: audit && new Audit(audit),
      reportDefect,
    });
    this.#server = new Server({
      "grpc.max_receive_message_length": maxMessageBytes,
      "grpc.max_send_message_length": -1, // the adapter checks, and says why
      "grpc.enable_channelz": 0,
      interceptors: [
        cutStreamInterceptor,
        frameInPlaceInterceptor,
        callStatusInterceptor(maxMessageBytes, courses),
        this.#gate.interceptor,
      ],
    });
    onHttp2Server(this.#server, (http2Server) => {
      shortenDeadlines(http2Server, contract, maxCallMs);
      closeUseless(http2Server, handshakeTimeoutMs);
      this.#gate.listen(http2Server);
    });

    const runtime: CallRuntime = {
      maxMessageBytes,
      streamsStopping: this.#streamsStopping.signal,
      unaryStopping: this.#unaryStopping.signal,
      validate,
      courses,
      gate: this.#gate,
      reportDefect: (error, { rpc, peer }) => reportDefect(error, rpc, peer),
    };
    warmValidation(contract);
    if (maps) addMaps(this.#server, maps, version, runtime);
    if (relay) addFleet(this.#server, relay, runtime);
    this.#health = new HealthService(contract.map(({ typeName }) => typeName));
    this.#health.addTo(this.#server, runtime);
    const index = new DescriptorIndex(
      [...contract, Health, ...reflectionServices],
      [ErrorInfoSchema.file, StatusSchema.file],
    );
    addReflection(this.#server, index, runtime);

    // Connections come with their TLS done, so grpc-js has nothing to do with it.
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#health.setServing(true);
  }

  /**
   * Serves a connection that was accepted: of a unix socket, of TCP, or of TLS. Closes it where
   * its peer has as many as it may.
   *
   * @param peerOf tells who is at its other end
   */
  accept(connection: Duplex, peerOf: () => Principal): void {
    this.#connections.add(connection);
    connection.once("close", () => this.#connections.delete(connection));
    try {
      this.#gate.arrive(peerOf(), connection, () => this.#injector.injectConnection(connection));
    } catch (error) {
      // It was gone before it was served, or is one too many.
      this.#log.debug({ err: (error as Error).message }, "a connection is not served");
      connection.destroy();
    }
  }

  /**
   * Ends everything: health says NOT_SERVING, streams end with UNAVAILABLE
   * DAEMON_STOPPING, unary calls have `graceMs` to end by themselves before they are
   * aborted in the same way, and what is left is cut.
   */
  async shutdown(graceMs: number): Promise<void> {
    this.#health.setServing(false);
    this.#streamsStopping.abort();
    // Its callback is of no use: from Node 24 on, server.close() begins to close all
    // sessions, and grpc-js takes those for closed whose calls still run.
    this.#server.tryShutdown(() => {});
    if (!(await this.#allClosed(graceMs))) {
      this.#unaryStopping.abort();
      await this.#allClosed(LAST_WORDS_MS);
    }
    this.#server.forceShutdown();
    for (const connection of this.#connections) connection.destroy();
  }

  /** Whether all connections are closed, within this time. */
  #allClosed(withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const late = setTimeout(() => resolve(false), withinMs);
      const check = () => {
        if (this.#connections.size > 0) return;
        clearTimeout(late);
        resolve(true);
      };
      for (const connection of this.#connections) connection.once("close", check);
      check();
    });
  }
}

function addMaps(
  server: Server,
  { host, hub, records }: ServedMaps,
  version: string,
  runtime: CallRuntime,
): void {
  const { maxMessageBytes } = runtime;
  const maps = mapServiceHandlers(host, hub, records, maxMessageBytes);
  const pipeline = pipelineHandler(maps, runtime);
  addService(server, MapService, { ...maps, pipeline }, mapServiceRules, runtime);
  const hostService = hostServiceHandlers(host, { version, maxMessageBytes });
  addService(server, HostService, hostService, hostServiceRules, runtime);
}

function addFleet(server: Server, relay: Relay, runtime: CallRuntime): void {
  addService(server, FleetService, fleetServiceHandlers(relay), fleetServiceRules, runtime);
  const sessions = hostSessionHandlers(relay);
  addService(server, HostSessionService, sessions, hostSessionServiceRules, runtime);
  addService(server, RelayService, relayServiceHandlers(relay), relayServiceRules, runtime);
}

/** Where nobody observes calls there is nothing, so that nothing is done for it. */
function coursesOf(observers: readonly CallObserver[], log: Logger): CallCourses | undefined {
  const logged = log.isLevelEnabled("debug") ? [requestLog(log)] : [];
  const observer = joinObservers([...logged, ...observers]);
  return observer && new CallCourses(observer);
}
