import type { ConnectRequest, ConnectResponse } from "@bpfmapd/client/proto";
import type { HostPeer } from "../relay/host-peer.js";
import type { HostSessions } from "../relay/host-sessions.js";
import { FrameQueue } from "../session/frame-queue.js";
import type { SessionLink } from "./session-link.js";

/** A session with a relay in the same process. */
export function localLink(sessions: HostSessions, hostName: string): SessionLink {
  const up = new FrameQueue<ConnectRequest>();
  const over = new AbortController();
  const peer: HostPeer = { name: hostName, address: "local", sans: [] };
  const down: AsyncIterable<ConnectResponse> = sessions.serve(up, peer, over.signal);
  return {
    send: (frame) => up.send(frame),
    frames: down,
    relay: { address: "local" },
    close() {
      up.end();
      over.abort(new Error("the host has left"));
    },
  };
}
