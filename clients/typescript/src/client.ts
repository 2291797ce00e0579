import { status } from "@grpc/grpc-js";
import type { Connection } from "./connection.js";
import { BpfmapError } from "./errors.js";
import { FleetService } from "./gen/bpfmap/fleet/v1/fleet_service_pb.js";
import { HostService } from "./gen/bpfmap/v1/host_service_pb.js";
import { MapService } from "./gen/bpfmap/v1/map_service_pb.js";
import { MapHandle } from "./map-handle.js";
import type { MapRefInit } from "./map-ref.js";
import { createServiceClient, type ServiceClient } from "./service-client.js";
import { type OpenOptions, openMap, openPerCpuMap } from "./typed/open-map.js";
import type { TypedMap } from "./typed/typed-map.js";

/** A connection to one daemon. Made by connect(). */
export class BpfmapClient {
  /** Every RPC of MapService. */
  readonly maps: ServiceClient<typeof MapService>;
  /** Every RPC of HostService. */
  readonly host: ServiceClient<typeof HostService>;
  /** Every RPC of FleetService, which relays serve: see also Fleet. */
  readonly fleet: ServiceClient<typeof FleetService>;
  /** The daemon's address, as grpc-js takes it. */
  readonly address: string;
  readonly #connection: Connection;

  /** Use connect(). @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
    this.address = connection.address;
    this.maps = createServiceClient(MapService, connection);
    this.host = createServiceClient(HostService, connection);
    this.fleet = createServiceClient(FleetService, connection);
  }

  /**
   * A handle of one map. Nothing is sent: a map that does not exist shows at the
   * first call. Throws BpfmapError INVALID_ARGUMENT for a reference that is none.
   */
  map(ref: MapRefInit): MapHandle {
    return new MapHandle(this.maps, ref);
  }

  /**
   * Opens a map with types for its keys and values (see `@bpfmapd/client/codec`). Throws
   * INVALID_ARGUMENT where the codecs' sizes are not those of the map, or the map is
   * per-CPU; and what MapHandle.get() throws.
   */
  open<K, V>(ref: MapRefInit, options: OpenOptions<K, V>): Promise<TypedMap<K, V>> {
    return openMap(this, ref, options);
  }

  /**
   * Opens a per-CPU map with types: its values are arrays with one V for each of
   * Map.cpus. Throws as open() does.
   */
  openPerCpu<K, V>(ref: MapRefInit, options: OpenOptions<K, V>): Promise<TypedMap<K, V[]>> {
    return openPerCpuMap(this, ref, options);
  }

  /**
   * Waits until there is a connection to the daemon. Throws BpfmapError UNAVAILABLE
   * when there is none after `timeoutMs` milliseconds.
   */
  waitForReady(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#connection.client.waitForReady(Date.now() + timeoutMs, (cause) => {
        if (cause === undefined) {
          resolve();
          return;
        }
        const message = `no connection to bpfmapd at ${this.address} within ${timeoutMs} ms`;
        reject(new BpfmapError(message, { code: status.UNAVAILABLE, cause }));
      });
    });
  }

  /** Closes the connection. Later calls fail with CANCELLED. */
  close(): void {
    this.#connection.client.close();
  }
}
