import {
  type ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from "@grpc/grpc-js";
import type { Logger } from "pino";
import { MapError } from "../maps/index.js";
import { peerName } from "./adapter/server-call.js";
import { DETAILS_TRAILER, errorStatus } from "./error-status.js";

type Call = ServerInterceptingCallInterface;
type StatusObject = Parameters<Call["sendStatus"]>[0];

/**
 * Sees the status of every call, also those that grpc-js ends by itself before or without
 * a handler: it gives a message past the limit its reason, and writes the request log.
 *
 * It replaces methods of the call that it is given instead of wrapping the call, because
 * grpc-js' own statuses pass by the wrappers.
 */
export function callStatusInterceptor(log: Logger, maxMessageBytes: number): ServerInterceptor {
  return (method, call) => {
    const sendStatus = call.sendStatus.bind(call);
    let sent: StatusObject | undefined;
    call.sendStatus = (given) => {
      sent ??= explain(given, maxMessageBytes);
      sendStatus(sent);
    };
    if (log.isLevelEnabled("debug")) logAtEnd(method.path.slice(1), call, () => sent, log);
    return call as ServerInterceptingCall;
  };
}

/** grpc-js refuses a message past the limit with a text of its own and no reason. */
function explain(given: StatusObject, maxMessageBytes: number): StatusObject {
  if (given.code !== status.RESOURCE_EXHAUSTED) return given;
  if (given.metadata?.get(DETAILS_TRAILER).length) return given;
  const error = new MapError(
    "LIMIT_EXCEEDED",
    `a message of the request has more than the ${maxMessageBytes} bytes of the daemon's setting ` +
      "limits.max_message_bytes: send less at once",
    { metadata: { limit: "limits.max_message_bytes" } },
  );
  return errorStatus(error);
}

function logAtEnd(
  rpc: string,
  call: Call,
  sent: () => StatusObject | undefined,
  log: Logger,
): void {
  const begin = process.hrtime.bigint();
  const peer = peerName(call); // not known any more when the connection is gone
  const start = call.start.bind(call);
  call.start = (listener) => {
    start({
      onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => listener.onReceiveHalfClose(),
      // Said once at the end of every call, cancelled or not.
      onCancel: () => {
        listener.onCancel();
        const { code = status.CANCELLED, details = "" } = sent() ?? {};
        log.debug(
          {
            rpc,
            status: status[code],
            ...(code !== status.OK && details !== "" && { details }),
            durationMs: Number(process.hrtime.bigint() - begin) / 1e6,
            peer,
          },
          "request",
        );
      },
    });
  };
}
