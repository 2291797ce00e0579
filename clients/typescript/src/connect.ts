import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  credentials as grpcCredentials,
} from "@grpc/grpc-js";
import { type Address, DEFAULT_ADDRESS, parseAddress } from "./address.js";
import { checkDeadline } from "./call-options.js";
import { BpfmapClient } from "./client.js";
import { Connection } from "./connection.js";
import { invalidArgument } from "./errors.js";
import { type TokenSource, tokenInterceptor } from "./token.js";

const DEFAULT_DEADLINE_MS = 30_000;
const DEFAULT_MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

// The default window of 64 KiB makes a dump wait for the client's acknowledgements:
// with 4 MiB a stream of large chunks runs 1.6 times as fast. It bounds what the
// connection buffers for a slow reader.
const FLOW_CONTROL_WINDOW_BYTES = 4 * 1024 * 1024;

// grpc-js would wait up to two minutes before it looks again whether a daemon that
// was restarted is back.
const MAX_RECONNECT_BACKOFF_MS = 5_000;

// A host that is switched off ends no connection: without pings a watch would wait for it
// for ever.
const KEEPALIVE: ChannelOptions = {
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 20_000,
};

/** TLS towards a daemon on TCP. All are PEM. */
export interface TlsOptions {
  /** Certificates to trust; the system's where absent. */
  ca?: Buffer;
  /** The client's certificate chain, for daemons that ask for one; needs `key`. */
  cert?: Buffer;
  /** The private key of `cert`. */
  key?: Buffer;
  /** The name that the daemon's certificate must have, where it is not the address's host. */
  serverName?: string;
}

/** How to reach the daemon. */
export interface ConnectOptions {
  /**
   * "unix:/path", "unix:///path", "host:port" or "[IPv6 address]:port". Default
   * "unix:/run/bpfmapd/bpfmapd.sock".
   */
  address?: string;
  /** TLS, for TCP addresses only. A TCP address needs either this or `plaintext`. */
  tls?: TlsOptions;
  /** Allows a TCP connection without TLS: anybody on the way can read and change maps. */
  plaintext?: boolean;
  /** Sent with every call as a bearer token (JWT). Not over TCP without TLS, where anybody reads it. */
  token?: TokenSource;
  /** Milliseconds after which unary calls fail unless they say otherwise; Infinity for never. Default 30000. */
  deadlineMs?: number;
  /** Largest message that is accepted, in bytes. Default 16 MiB, as the daemon's own limit. */
  maxMessageBytes?: number;
  /** Options of the grpc-js channel; they come before this client's own. */
  channelOptions?: ChannelOptions;
}

/**
 * Makes a client of a daemon. Nothing is sent before the first call, and a lost
 * connection is made anew by the next one. Throws BpfmapError INVALID_ARGUMENT for
 * options that contradict each other.
 */
export function connect(options: ConnectOptions = {}): BpfmapClient {
  const address = parseAddress(options.address ?? DEFAULT_ADDRESS);
  const deadlineMs = checkDeadline(options.deadlineMs ?? DEFAULT_DEADLINE_MS);
  const client = new Client(address.target, channelCredentials(address, options), {
    "grpc.max_receive_message_length": options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
    "grpc.max_reconnect_backoff_ms": MAX_RECONNECT_BACKOFF_MS,
    "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW_BYTES,
    ...(address.kind === "tcp" && KEEPALIVE),
    ...serverNameOptions(options.tls),
    ...(options.token !== undefined && { interceptors: [tokenInterceptor(options.token)] }),
    ...options.channelOptions,
  });
  return new BpfmapClient(new Connection(client, address.target, deadlineMs));
}

function channelCredentials(address: Address, options: ConnectOptions): ChannelCredentials {
  const { tls, plaintext = false } = options;
  if (address.kind === "unix") {
    if (tls !== undefined) throw invalidArgument("tls is for TCP addresses only", "tls");
    return grpcCredentials.createInsecure();
  }
  if (tls === undefined) {
    if (plaintext && options.token !== undefined) {
      throw invalidArgument("a token is a secret: send it by TLS, or by a unix socket", "token");
    }
    if (plaintext) return grpcCredentials.createInsecure();
    throw invalidArgument(
      `${address.target} is a TCP address: give tls, or plaintext: true to go without`,
      "tls",
    );
  }
  if (plaintext) throw invalidArgument("tls and plaintext exclude each other", "plaintext");
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw invalidArgument("a client certificate needs both cert and key", "tls");
  }
  return grpcCredentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null);
}

function serverNameOptions(tls: TlsOptions | undefined): ChannelOptions {
  if (tls?.serverName === undefined) return {};
  return {
    "grpc.ssl_target_name_override": tls.serverName,
    "grpc.default_authority": tls.serverName,
  };
}
