import type { Logger } from "pino";
import { MapHost } from "../maps/index.js";
import { RecordHub } from "../records/index.js";
import { type AuditOptions, RpcServer, takeLibraryLog } from "../rpc/index.js";
import { WatchHub, type WatchObserver } from "../watch/index.js";
import { type Access, openAccess } from "./access.js";
import { openAudit } from "./audit.js";
import type { Config } from "./config.js";
import { ExitCode, StartError } from "./exit-code.js";
import { type JoinedFleet, joinFleet } from "./fleet-host.js";
import { type OpenRelay, openRelay } from "./fleet-relay.js";
import { Listeners } from "./listeners.js";
import { announcer } from "./logger.js";
import { Observation } from "./observation.js";
import { readTokenKey } from "./token-key.js";

/** What a daemon is made of. */
interface DaemonParts {
  readonly listeners: Listeners;
  readonly host: MapHost;
  readonly hub: WatchHub;
  readonly records: RecordHub;
  readonly rpc: RpcServer;
  readonly observation: Observation;
  readonly access: Access;
  readonly audit: AuditOptions | undefined;
  /** The fleet's relay in this process, if there is one. */
  readonly opened: OpenRelay | undefined;
  readonly joined: JoinedFleet | undefined;
}

/** A daemon that serves. */
export class Daemon {
  readonly #config: Config;
  readonly #parts: DaemonParts;

  private constructor(config: Config, parts: DaemonParts) {
    this.#config = config;
    this.#parts = parts;
  }

  /** Starts to serve. Throws a StartError where it cannot. */
  static async start(config: Config, version: string, log: Logger): Promise<Daemon> {
    takeLibraryLog(log);
    const listeners = await Listeners.open(config.listen, config.limits.handshake_timeout_ms, log);
    try {
      const host = await openHost(config, log);
      tellMissingCapabilities(host, log);
      const maxMessageBytes = config.limits.max_message_bytes;
      const observation = await Observation.open(config, version, log);
      const hub = openHub(config, host, observation.watches);
      const records = openRecords(config, host);
      const audit = openAudit(config.audit, version, log);
      const access = openAccess(config.access, host, audit !== undefined, log);
      const observers = observation.calls;
      const opened = config.fleet.enabled ? await openRelay(config, log) : undefined;
      const rpc = new RpcServer({
        maps: { host, hub, records },
        relay: opened?.relay,
        version,
        maxMessageBytes,
        handshakeTimeoutMs: config.limits.handshake_timeout_ms,
        maxCallMs: config.limits.max_call_ms,
        log,
        access: access.control,
        audit,
        observers,
      });
      const metrics = await observation.serve({ host, hub }, log);
      listeners.serve((socket, peerOf) => rpc.accept(socket, peerOf));
      const { control } = access;
      const parts = { host, rpc, control, relay: opened?.relay, version, log };
      const joined = joinFleet(config, parts);
      announcer(log).info(
        {
          ...{ version, listen: listeners.addresses, metrics },
          ...{ bpffsRoots: config.bpffs.roots, pid: process.pid },
        },
        "serving",
      );
      return new Daemon(config, {
        ...{ listeners, host, hub, records, rpc, observation, access, audit, opened, joined },
      });
    } catch (error) {
      listeners.close();
      throw error;
    }
  }

  /** Opens files anew that others have moved away. */
  reopen(): void {
    this.#parts.audit?.log.reopen();
  }

  /** Stops in order: no new connections, no calls, then the maps. */
  async stop(): Promise<void> {
    const { listeners, rpc, observation, hub, records, host, access, audit } = this.#parts;
    const { opened, joined } = this.#parts;
    const graceMs = this.#config.shutdown_grace_ms;
    await opened?.relay.goodbye(graceMs);
    listeners.close();
    await rpc.shutdown(graceMs);
    await joined?.stop();
    await opened?.close();
    access.close();
    await audit?.log.close();
    await observation.close();
    await hub.close();
    await records.close();
    await host.close();
  }
}

async function openHost({ bpffs, limits }: Config, log: Logger): Promise<MapHost> {
  try {
    return await MapHost.open({
      bpffsRoots: bpffs.roots,
      mountBpffs: bpffs.mount,
      holdDirectory: bpffs.hold_directory,
      limits: {
        maxMessageBytes: limits.max_message_bytes,
        dedupMemoryBytes: limits.dedup_memory_bytes,
        replaceMemoryBytes: limits.replace_memory_bytes,
        maxScans: limits.max_scans,
        scanThreads: limits.scan_threads,
      },
      onAdopted: (hold, mapId) => log.info({ hold, mapId }, "held map taken over"),
      onExpiryFailed: (hold, mapId, err) =>
        log.error({ hold, mapId, err }, "lease ran out, but the hold's pin cannot be removed"),
      onLeaseExpired: (hold, mapId) => log.info({ hold, mapId }, "lease ran out"),
    });
  } catch (cause) {
    throw new StartError(ExitCode.FAILED, (cause as Error).message, { cause });
  }
}

function openHub(
  { watch, listen }: Config,
  host: MapHost,
  observer: WatchObserver | undefined,
): WatchHub {
  const limits = {
    maxWatches: watch.max_watches,
    maxMaps: watch.max_maps,
    threads: watch.threads,
    cpuShare: watch.cpu_percent / 100,
    historyBytes: watch.history_bytes,
    defaultIntervalMs: watch.default_interval_ms,
    minIntervalMs: watch.min_interval_ms,
    tracedIntervalMs: watch.traced_interval_ms,
    traceRingBytes: watch.trace_ring_bytes,
  };
  return new WatchHub(host, limits, readTokenKey(listen.unix.path), observer);
}

function openRecords({ limits }: Config, host: MapHost): RecordHub {
  return new RecordHub(host, {
    queueBytes: limits.record_queue_bytes,
    maxSubscribers: limits.max_record_streams,
    maxMaps: limits.max_record_maps,
    threads: limits.record_threads,
  });
}

function tellMissingCapabilities(host: MapHost, log: Logger): void {
  for (const { name, consequence } of host.identity.missingCapabilities) {
    log.warn({ capability: name }, `${name} is missing: ${consequence}`);
  }
}
