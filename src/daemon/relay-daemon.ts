import type { Logger } from "pino";
import { type AuditOptions, RpcServer, takeLibraryLog } from "../rpc/index.js";
import { type Access, openAccess } from "./access.js";
import { openAudit } from "./audit.js";
import type { Config } from "./config.js";
import { ExitCode, StartError } from "./exit-code.js";
import { type OpenRelay, openRelay } from "./fleet-relay.js";
import { Listeners } from "./listeners.js";
import { announcer } from "./logger.js";
import { Observation } from "./observation.js";

/** What a relay's daemon is made of. */
interface RelayParts {
  readonly listeners: Listeners;
  readonly opened: OpenRelay;
  readonly rpc: RpcServer;
  readonly observation: Observation;
  readonly access: Access;
  readonly audit: AuditOptions | undefined;
}

/** A daemon that serves a fleet as its relay, and no maps. */
export class RelayDaemon {
  readonly #config: Config;
  readonly #parts: RelayParts;

  private constructor(config: Config, parts: RelayParts) {
    this.#config = config;
    this.#parts = parts;
  }

  /** Starts to serve. Throws a StartError where it cannot. */
  static async start(config: Config, version: string, log: Logger): Promise<RelayDaemon> {
    refuseHostSettings(config);
    takeLibraryLog(log);
    const { limits } = config;
    const listeners = await Listeners.open(config.listen, limits.handshake_timeout_ms, log);
    try {
      const observation = await Observation.open(config, version, log);
      const audit = openAudit(config.audit, version, log);
      const access = openAccess(config.access, undefined, audit !== undefined, log);
      const opened = await openRelay(config, log);
      const rpc = new RpcServer({
        relay: opened.relay,
        version,
        maxMessageBytes: limits.max_message_bytes,
        handshakeTimeoutMs: limits.handshake_timeout_ms,
        maxCallMs: limits.max_call_ms,
        ...{ log, audit },
        access: access.control,
        observers: observation.calls,
      });
      const metrics = await observation.serve(undefined, log);
      listeners.serve((socket, peerOf) => rpc.accept(socket, peerOf));
      announcer(log).info(
        {
          ...{ version, relay: opened.relay.id, listen: listeners.addresses, metrics },
          pid: process.pid,
        },
        "serving",
      );
      return new RelayDaemon(config, { listeners, opened, rpc, observation, access, audit });
    } catch (error) {
      listeners.close();
      throw error;
    }
  }

  /** Opens files anew that others have moved away. */
  reopen(): void {
    this.#parts.audit?.log.reopen();
  }

  /** Stops in order: hosts are sent away, no new connections, no calls, then the store. */
  async stop(): Promise<void> {
    const { listeners, opened, rpc, observation, access, audit } = this.#parts;
    const graceMs = this.#config.shutdown_grace_ms;
    await opened.relay.goodbye(graceMs);
    listeners.close();
    await rpc.shutdown(graceMs);
    access.close();
    await audit?.log.close();
    await observation.close();
    await opened.close();
  }
}

/** What makes a daemon a host means nothing to a relay: whoever sets it has meant "serve". */
function refuseHostSettings({ fleet }: Config): void {
  const given = fleet.enabled ? "fleet.enabled" : fleet.join.length > 0 ? "fleet.join" : undefined;
  if (given === undefined) return;
  throw new StartError(
    ExitCode.CONFIGURATION,
    `${given} is for a daemon that serves maps: run "bpfmapd serve" with it, or a relay without`,
  );
}
