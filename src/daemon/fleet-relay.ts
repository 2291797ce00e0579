import { hostname } from "node:os";
import type { Logger } from "pino";
import { Relay, RelayConnections, type Store } from "../fleet/index.js";
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
  return {
    relay,
    async close() {
      tls?.close();
      others.close();
      await relay.close();
      await store.close();
    },
  };
}
