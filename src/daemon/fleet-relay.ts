import { hostname } from "node:os";
import type { Logger } from "pino";
import { Relay, type Store } from "../fleet/index.js";
import type { Config } from "./config.js";
import { openFleetStore } from "./fleet-store.js";

/** A relay with its store. */
export interface OpenRelay {
  readonly relay: Relay;
  close(): Promise<void>;
}

/** Opens the store and a relay on it. Throws a StartError. */
export async function openRelay({ fleet, limits }: Config, log: Logger): Promise<OpenRelay> {
  const store: Store = await openFleetStore(fleet.store);
  const relay = new Relay({
    id: fleet.relay_id ?? hostname(),
    store,
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
      await relay.close();
      await store.close();
    },
  };
}
