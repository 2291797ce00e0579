import { hostname } from "node:os";
import type { Logger } from "pino";
import { Compactor, Relay, RelayConnections, type Store, systemClock } from "../fleet/index.js";
import type { Config } from "./config.js";
import { openFleetStore } from "./fleet-store.js";
import { followTls } from "./fleet-tls.js";

/** A relay with its store. */
export interface OpenRelay {
  readonly relay: Relay;
  close(): Promise<void>;
}

/** Opens the store and a relay on it. Throws a StartError. */
export async function openRelay({ fleet, limits }: Config, log: Logger): Promise<OpenRelay> {
  const store: Store = await openFleetStore(fleet.store);
  const id = fleet.relay_id ?? hostname();
  const tls = followTls(fleet.tls, log);
  const others = new RelayConnections({
    relayId: id,
    tls: () => tls?.value,
    maxMessageBytes: limits.max_message_bytes,
  });
  tls?.onChange(() => others.close());
  const relay = new Relay({
    ...{ id, store, others },
    advertise: fleet.advertise,
    heartbeatMs: fleet.heartbeat_ms,
    leaseSeconds: fleet.lease_s,
    forgetSeconds: fleet.forget_after_s,
    maxMessageBytes: limits.max_message_bytes,
    log,
  });
  relay.start();
  const closing = new AbortController();
  // An etcd may be others', too, and has its own way.
  if (fleet.store.etcd.endpoints.length === 0) void compact(store, closing.signal, log);
  return {
    relay,
    async close() {
      closing.abort();
      tls?.close();
      others.close();
      await relay.close();
      await store.close();
    },
  };
}

function compact(store: Store, signal: AbortSignal, log: Logger): Promise<void> {
  return new Compactor(store, { clock: systemClock }).keepOn(signal, (error) =>
    log.warn({ err: error.message }, "the store's history cannot be compacted"),
  );
}
