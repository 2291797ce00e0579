import type { ConnectRequest, FollowMapSetsRequest } from "@bpfmapd/client/proto";
import type { HostPeer } from "../relay/host-peer.js";
import type { Relay } from "../relay/relay.js";
import { FrameQueue } from "../session/frame-queue.js";
import type { RelayStream, SessionLink } from "./session-link.js";

/** A session with a relay in the same process. */
export function localLink(
  { sessions, sets }: Pick<Relay, "sessions" | "sets">,
  hostName: string,
): SessionLink {
  const peer: HostPeer = { name: hostName, address: "local", sans: [] };
  const session = localStream((up: AsyncIterable<ConnectRequest>, signal) =>
    sessions.serve(up, peer, signal),
  );
  return {
    ...session,
    relay: { address: "local" },
    followSets: () =>
      localStream((up: AsyncIterable<FollowMapSetsRequest>, signal) =>
        sets.follow(up, peer, signal),
      ),
  };
}

function localStream<Request, Response>(
  serve: (up: AsyncIterable<Request>, signal: AbortSignal) => AsyncIterable<Response>,
): RelayStream<Request, Response> {
  const up = new FrameQueue<Request>();
  const over = new AbortController();
  return {
    send: (frame) => up.send(frame),
    frames: serve(up, over.signal),
    close() {
      up.end();
      over.abort(new Error("the host has left"));
    },
  };
}
