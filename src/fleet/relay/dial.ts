import { statSync } from "node:fs";
import {
  checkServerIdentity,
  createSecureContext,
  type PeerCertificate,
  type SecureContextOptions,
} from "node:tls";
import { type ChannelOptions, Client, connectivityState, credentials } from "@grpc/grpc-js";
import type { DialedRelay } from "../host/session-link.js";

/** How relays on TCP are dialed: PEM of CA, certificate and key, and of what was revoked. */
export type DialTls = Pick<SecureContextOptions, "ca" | "cert" | "key" | "crl" | "minVersion">;

/** A connection to a relay, and who is at its other end once it is made. */
export interface DialedClient {
  readonly client: Client;
  readonly relay: DialedRelay;
}

const CHANNEL: ChannelOptions = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 5000,
  "grpc-node.flow_control_window": 4 * 1024 * 1024,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.enable_channelz": 0,
  // No two channels share a connection: each is to know whose it is.
  "grpc.use_local_subchannel_pool": 1,
};

/**
 * Makes a client of a relay, which connects with its first call.
 * @param tls for addresses of TCP; they are dialed by nothing else
 */
export function dialClient(address: string, tls: DialTls | undefined): DialedClient {
  if (address.startsWith("unix:")) {
    const { uid } = statSync(address.slice("unix:".length));
    const client = new Client(address, credentials.createInsecure(), CHANNEL);
    return { client, relay: { address, uid } };
  }
  if (!tls) throw new Error(`${address} is dialed by TLS, for which fleet.tls must be set`);
  const relay: { -readonly [K in keyof DialedRelay]: DialedRelay[K] } = { address };
  const note = (host: string, certificate: PeerCertificate) => {
    const error = checkServerIdentity(host, certificate);
    if (error) return error;
    relay.subjectAltName = certificate.subjectaltname;
    relay.subject = String(certificate.subject.CN ?? "");
    return undefined;
  };
  const secure = credentials.createFromSecureContext(createSecureContext(tls), {
    checkServerIdentity: note,
  });
  return { client: new Client(address, secure, CHANNEL), relay };
}

/** Whether there is a connection, or the first try to make one goes well: grpc-js would go on trying. */
export async function isConnected(client: Client, withinMs: number): Promise<boolean> {
  const channel = client.getChannel();
  const deadline = Date.now() + withinMs;
  let state = channel.getConnectivityState(true);
  while (state === connectivityState.IDLE || state === connectivityState.CONNECTING) {
    const isLate = await new Promise<boolean>((resolve) =>
      channel.watchConnectivityState(state, deadline, (error) => resolve(error !== undefined)),
    );
    if (isLate) return false;
    state = channel.getConnectivityState(true);
  }
  return state === connectivityState.READY;
}
