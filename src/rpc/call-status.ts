import {
  type ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from "@grpc/grpc-js";
import { MapError } from "../maps/index.js";
import { peerName } from "./adapter/server-call.js";
import type { CallCourses } from "./call-courses.js";
import { DETAILS_TRAILER, errorStatus } from "./error-status.js";

type Call = ServerInterceptingCallInterface;
type StatusObject = Parameters<Call["sendStatus"]>[0];

/**
 * Sees the status of every call, also those that grpc-js ends by itself before or without
 * a handler: it gives a message past the limit its reason, and tells who observes calls.
 *
 * It replaces methods of the call that it is given instead of wrapping the call, because
 * grpc-js' own statuses pass by the wrappers.
 *
 * @param courses absent where nobody observes
 */
export function callStatusInterceptor(
  maxMessageBytes: number,
  courses: CallCourses | undefined,
): ServerInterceptor {
  return (method, call) => {
    const sendStatus = call.sendStatus.bind(call);
    let sent: StatusObject | undefined;
    call.sendStatus = (given) => {
      sent ??= explain(given, maxMessageBytes);
      sendStatus(sent);
    };
    const sendMessage = call.sendMessage.bind(call);
    call.sendMessage = (message, done) => {
      // grpc-js would write behind the end of the stream, which then never gets its status.
      if (sent === undefined) sendMessage(message, done);
    };
    if (courses) observe(method.path.slice(1), call, () => sent, courses);
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

function observe(
  rpc: string,
  call: Call,
  sent: () => StatusObject | undefined,
  courses: CallCourses,
): void {
  const peer = peerName(call); // not known any more when the connection is gone
  const start = call.start.bind(call);
  call.start = (listener) => {
    let end = (_code: status, _details: string) => {};
    start({
      onReceiveMetadata: (metadata) => {
        const course = courses.begin({ rpc, peer, metadata });
        end = (code, details) => course.ended(code, details);
        listener.onReceiveMetadata(metadata);
      },
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => listener.onReceiveHalfClose(),
      // Said once at the end of every call, cancelled or not.
      onCancel: () => {
        listener.onCancel();
        const { code = status.CANCELLED, details = "" } = sent() ?? {};
        end(code, details);
      },
    });
  };
}
