import { status } from "@grpc/grpc-js";
import type { Connection } from "./connection.js";
import { BpfmapError } from "./errors.js";
import { HostService } from "./gen/bpfmap/v1/host_service_pb.js";
import { MapService } from "./gen/bpfmap/v1/map_service_pb.js";
import { MapHandle } from "./map-handle.js";
import type { MapRefInit } from "./map-ref.js";
import { createServiceClient, type ServiceClient } from "./service-client.js";

/** A connection to one daemon. Made by connect(). */
export class BpfmapClient {
  /** Every RPC of MapService. */
  readonly maps: ServiceClient<typeof MapService>;
  /** Every RPC of HostService. */
  readonly host: ServiceClient<typeof HostService>;
  /** The daemon's address, as grpc-js takes it. */
  readonly address: string;
  readonly #connection: Connection;

  /** Use connect(). */
  constructor(connection: Connection) {
    this.#connection = connection;
    this.address = connection.address;
    this.maps = createServiceClient(MapService, connection);
    this.host = createServiceClient(HostService, connection);
  }

  /**
   * A handle of one map. Nothing is sent: a map that does not exist shows at the
   * first call. Throws BpfmapError INVALID_ARGUMENT for a reference that is none.
   */
  map(ref: MapRefInit): MapHandle {
    return new MapHandle(this.maps, ref);
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
