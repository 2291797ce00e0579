import type { Clock } from "../../clock.js";
import { StoreError } from "../store-error.js";

/** How an etcd is reached. */
export interface EtcdStoreOptions {
  /**
   * Client URLs of one cluster's members, "http://host:port" or "https://host:port", all of one
   * kind. Calls stay with one until it fails, then go on to the next.
   */
  readonly endpoints: readonly string[];
  /** What all keys begin with in etcd, such as "/bpfmap/fleet/"; the store's keys are without it. */
  readonly prefix: string;
  /** For https: endpoints. Default: the system's certificate authorities, no client certificate. */
  readonly tls?: EtcdTls;
  /** A user of etcd's own; over https only. */
  readonly user?: { readonly name: string; readonly password: string };
  /** Milliseconds that a call may take, over all tries, unless it says otherwise. Default 5000. */
  readonly deadlineMs?: number;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

/** TLS towards etcd. All are PEM. */
export interface EtcdTls {
  /** Certificates to trust; the system's where absent. */
  readonly ca?: Buffer;
  /** The client's certificate chain; needs `key`. */
  readonly cert?: Buffer;
  /** The private key of `cert`. */
  readonly key?: Buffer;
  /** The name that etcd's certificates must have, where it is not the endpoint's host. */
  readonly serverName?: string;
}

const PREFIX = /^[\x21-\x7e]*$/;

/** Refuses options that contradict each other; answers "host:port" of each endpoint. */
export function checkEtcdOptions(options: EtcdStoreOptions): { targets: string[]; isTls: boolean } {
  const { endpoints, prefix, tls, user } = options;
  if (endpoints.length === 0) throw invalid("etcd needs at least one endpoint");
  if (!PREFIX.test(prefix)) throw invalid("etcd's prefix is printable ASCII without spaces");
  const urls = endpoints.map(parseEndpoint);
  const isTls = urls[0]!.protocol === "https:";
  if (urls.some(({ protocol }) => protocol !== urls[0]!.protocol)) {
    throw invalid("etcd's endpoints are either all http or all https");
  }
  if (tls !== undefined && !isTls) throw invalid("tls needs https endpoints of etcd");
  if (user !== undefined && !isTls)
    throw invalid("etcd's user needs https endpoints: the password is a secret");
  if ((tls?.cert === undefined) !== (tls?.key === undefined)) {
    throw invalid("a client certificate for etcd needs both cert and key");
  }
  return { targets: urls.map(({ host }) => host), isTls };
}

function parseEndpoint(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const isBare =
    url !== undefined && url.pathname === "/" && url.search === "" && url.username === "";
  if (!isBare || !["http:", "https:"].includes(url.protocol) || url.port === "") {
    throw invalid(`${JSON.stringify(endpoint)} is not http://host:port or https://host:port`);
  }
  return url;
}

function invalid(message: string): StoreError {
  return new StoreError("INVALID_ARGUMENT", message);
}
