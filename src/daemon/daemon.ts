import type { Logger } from "pino";
import { MapHost } from "../maps/index.js";
import { RpcServer } from "../rpc/index.js";
import { WatchHub } from "../watch/index.js";
import type { Config } from "./config.js";
import { ExitCode, StartError } from "./exit-code.js";
import { Listeners } from "./listeners.js";
import { announcer } from "./logger.js";
import { readTokenKey } from "./token-key.js";

/** A daemon that serves. */
export class Daemon {
  readonly #config: Config;
  readonly #listeners: Listeners;
  readonly #host: MapHost;
  readonly #hub: WatchHub;
  readonly #rpc: RpcServer;

  private constructor(
    config: Config,
    listeners: Listeners,
    host: MapHost,
    hub: WatchHub,
    rpc: RpcServer,
  ) {
    this.#config = config;
    this.#listeners = listeners;
    this.#host = host;
    this.#hub = hub;
    this.#rpc = rpc;
  }

  /** Starts to serve. Throws a StartError where it cannot. */
  static async start(config: Config, version: string, log: Logger): Promise<Daemon> {
    const listeners = await Listeners.open(config.listen, log);
    try {
      const host = await openHost(config, log);
      tellMissingCapabilities(host, log);
      const maxMessageBytes = config.limits.max_message_bytes;
      const hub = openHub(config, host);
      const rpc = new RpcServer({ host, hub, version, maxMessageBytes, log });
      listeners.serve((socket) => rpc.accept(socket));
      announcer(log).info(
        { version, listen: listeners.addresses, bpffsRoots: config.bpffs.roots, pid: process.pid },
        "serving",
      );
      return new Daemon(config, listeners, host, hub, rpc);
    } catch (error) {
      listeners.close();
      throw error;
    }
  }

  /** Stops in order: no new connections, no calls, then the maps. */
  async stop(): Promise<void> {
    this.#listeners.close();
    await this.#rpc.shutdown(this.#config.shutdown_grace_ms);
    await this.#hub.close();
    await this.#host.close();
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
      onLeaseExpired: (hold, mapId) => log.info({ hold, mapId }, "lease ran out"),
    });
  } catch (cause) {
    throw new StartError(ExitCode.FAILED, (cause as Error).message, { cause });
  }
}

function openHub({ watch, listen }: Config, host: MapHost): WatchHub {
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
  return new WatchHub(host, limits, readTokenKey(listen.unix.path));
}

function tellMissingCapabilities(host: MapHost, log: Logger): void {
  for (const { name, consequence } of host.identity.missingCapabilities) {
    log.warn({ capability: name }, `${name} is missing: ${consequence}`);
  }
}
