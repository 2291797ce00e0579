import { type ServiceError, status } from "@grpc/grpc-js";
import { Auth } from "../gen/etcd/api/etcdserverpb/rpc_pb.js";
import type { Endpoint, EndpointCall } from "./endpoint.js";
import type { EtcdStoreOptions } from "./etcd-options.js";

/** The token that etcd gives a user for his password, until it no longer takes it. */
export class Login {
  readonly #user: EtcdStoreOptions["user"];
  #token: string | undefined;
  #asking: Promise<string | undefined> | undefined;

  constructor(user: EtcdStoreOptions["user"]) {
    this.#user = user;
  }

  /** Undefined where there is no user. Throws what the call to etcd throws. */
  async token(endpoint: Endpoint, timeoutMs: number): Promise<string | undefined> {
    if (this.#user === undefined || this.#token !== undefined) return this.#token;
    // Many calls that find it missing ask once.
    this.#asking ??= this.#ask(endpoint, { token: undefined, timeoutMs }).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** Asks for a new one next time. */
  forget(token: string | undefined): void {
    if (this.#token === token) this.#token = undefined;
  }

  async #ask(endpoint: Endpoint, call: EndpointCall): Promise<string | undefined> {
    try {
      const { token } = await endpoint.unary(Auth.method.authenticate, this.#user!, call);
      this.#token = token;
      return token;
    } catch (error) {
      // An etcd whose authentication is off, as before an administrator turns it on, asks nobody.
      if ((error as ServiceError).code === status.FAILED_PRECONDITION) return undefined;
      throw error;
    }
  }
}
