import type {
  ConnectRequest,
  ConnectResponse,
  FollowMapSetsRequest,
  FollowMapSetsResponse,
} from "@bpfmapd/client/proto";

/** Who a host has dialed, as far as it was proven. */
export interface DialedRelay {
  /** As it was dialed: "host:port", "unix:/path", or "local" for one in the same process. */
  readonly address: string;
  /** Node's text of its certificate's subject alternative names; absent without TLS. */
  readonly subjectAltName?: string | undefined;
  /** Its certificate's subject. */
  readonly subject?: string | undefined;
  /** Who owns the unix socket that it listens on. */
  readonly uid?: number | undefined;
}

/** A stream to a relay, on the host's side. */
export interface RelayStream<Request, Response> {
  /** Sends a frame. Settles when there is room for another, also where the stream is over. */
  send(frame: Request): Promise<void>;
  /** What the relay sends; throws what ends the stream. */
  readonly frames: AsyncIterable<Response>;
  /** Ends it. */
  close(): void;
}

/** The stream of the map sets that are for a host. */
export type SetsLink = RelayStream<FollowMapSetsRequest, FollowMapSetsResponse>;

/** The stream of a host's session. */
export interface SessionLink extends RelayStream<ConnectRequest, ConnectResponse> {
  /** Who is at the other end. */
  readonly relay: DialedRelay;
  /** Opens the stream of map sets beside it, which ends with it. */
  followSets(): SetsLink;
}

/** Dials a relay. Throws, or has its frames throw, where it is not there. */
export type DialRelay = (address: string) => SessionLink | Promise<SessionLink>;
