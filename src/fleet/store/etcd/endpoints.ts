import { credentials as grpcCredentials } from "@grpc/grpc-js";
import type { Clock } from "../../clock.js";
import { KV } from "../gen/etcd/api/etcdserverpb/rpc_pb.js";
import { StoreError, throwIfAborted } from "../store-error.js";
import { Endpoint } from "./endpoint.js";
import { checkEtcdOptions, type EtcdStoreOptions } from "./etcd-options.js";

/** A member that drops packets is given up after this time, and the next is tried. */
const CONNECT_MS = 1_000;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 500;

/** The members of a cluster: one that answers is kept, one that fails is left for the next. */
export class Endpoints {
  readonly #endpoints: readonly Endpoint[];
  readonly #clock: Clock;
  #current = 0;

  constructor(options: EtcdStoreOptions, clock: Clock) {
    const { targets, isTls } = checkEtcdOptions(options);
    const { tls = {} } = options;
    const credentials = isTls
      ? grpcCredentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null)
      : grpcCredentials.createInsecure();
    this.#endpoints = targets.map((target) => new Endpoint(target, credentials, tls.serverName));
    this.#clock = clock;
  }

  /** How many there are. */
  get count(): number {
    return this.#endpoints.length;
  }

  /**
   * A member with a connection, so that a call that fails before is known not to have been sent.
   * @param timeoutMs how long to look for one; then UNAVAILABLE, with the reason of each
   */
  async connected(timeoutMs: number, signal?: AbortSignal): Promise<Endpoint> {
    const end = this.#clock.now() + timeoutMs;
    for (let longest = FIRST_PAUSE_MS; ; longest = Math.min(LONGEST_PAUSE_MS, longest * 2)) {
      for (let tries = 0; tries < this.#endpoints.length; tries++) {
        const endpoint = this.#endpoints[this.#current]!;
        const left = end - this.#clock.now();
        if (await endpoint.connects(Math.max(0, Math.min(left, CONNECT_MS)))) return endpoint;
        this.leave(endpoint);
      }
      throwIfAborted(signal);
      const left = end - this.#clock.now();
      if (left <= 0) throw await this.#unreachable(timeoutMs);
      await this.#clock.sleep(Math.min(left, longest * (0.5 + this.#clock.random() / 2)), signal);
    }
  }

  /** Goes on to the next member, unless that has been done already. */
  leave(endpoint: Endpoint): void {
    if (this.#endpoints[this.#current] !== endpoint) return;
    this.#current = (this.#current + 1) % this.#endpoints.length;
  }

  close(): void {
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  async #unreachable(timeoutMs: number): Promise<StoreError> {
    const reasons = await Promise.all(this.#endpoints.map(whyUnreachable));
    return new StoreError(
      "UNAVAILABLE",
      `no etcd answers within ${Math.round(timeoutMs)} ms: ${reasons.join("; ")}`,
    );
  }
}

/** grpc-js tells why it has no connection to those alone who make a call. */
async function whyUnreachable(endpoint: Endpoint): Promise<string> {
  const nothing = { key: new Uint8Array([0]), countOnly: true, serializable: true };
  try {
    await endpoint.unary(KV.method.range, nothing, { token: undefined, timeoutMs: 100 });
    return `${endpoint.target}: answers again`;
  } catch (error) {
    const { details = String(error) } = error as { details?: string };
    return `${endpoint.target}: ${details.replace(/ Resolution note: $/, "")}`;
  }
}
