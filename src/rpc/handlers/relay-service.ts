import type { ForwardRequest, RelayService } from "@bpfmapd/client/proto";
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  HostCallError,
  messagesOf,
  partsOf,
  type Relay,
  sessionProtocolError,
} from "../../fleet/index.js";
import { MapError } from "../../maps/index.js";
import type { ServiceHandlers } from "../adapter/service.js";

const NO_BYTES = new Uint8Array(0);

/** RelayService over a relay. */
export function relayServiceHandlers(relay: Relay): ServiceHandlers<typeof RelayService> {
  return {
    async *forward(requests, { signal }) {
      const frames = requests[Symbol.asyncIterator]();
      const { hostId, call } = startOf((await frames.next()).value);
      const { rpc, origin, timeout, requestId } = call;
      const hostCall = {
        ...{ rpc, origin, requestId, signal },
        requests: messagesOf(partsIn(frames), relay.maxMessageBytes),
        timeoutMs: timeout && durationMs(timeout),
      };
      try {
        for await (const message of sessionOf(relay, hostId).call(hostCall)) {
          for (const part of partsOf(message)) {
            yield { frame: { case: "data" as const, value: { callId: 0, ...part } } };
          }
        }
      } catch (error) {
        if (!(error instanceof HostCallError) || !error.status) throw causeOf(error);
        yield endFrame(error.status);
        return;
      }
      yield endFrame(NO_BYTES);
    },
  };
}

function sessionOf(relay: Relay, hostId: string) {
  const session = relay.sessions.get(hostId);
  if (session) return session;
  throw new MapError(
    "HOST_UNREACHABLE",
    `host ${hostId} has no session with relay ${relay.id} any more`,
    { metadata: { host: hostId } },
  );
}

/** Whether the call may have been done goes along, for the relay that asked. */
function causeOf(error: unknown): unknown {
  if (!(error instanceof HostCallError) || !error.cause) return error;
  return error.maybeDone ? error.cause.with({ maybe_done: "true" }) : error.cause;
}

function startOf(request: ForwardRequest | undefined) {
  if (request?.frame.case !== "start") throw sessionProtocolError("it begins with a start");
  const { hostId, call } = request.frame.value;
  if (!call?.origin) throw sessionProtocolError("a call says who makes it");
  return { hostId, call: { ...call, origin: call.origin } };
}

async function* partsIn(frames: AsyncIterator<ForwardRequest>) {
  for (let next = await frames.next(); !next.done; next = await frames.next()) {
    const { frame } = next.value;
    if (frame.case !== "data") throw sessionProtocolError("after its start come its requests");
    yield frame.value;
  }
}

function endFrame(error: Uint8Array) {
  return { frame: { case: "end" as const, value: { callId: 0, error } } };
}
