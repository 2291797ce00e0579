import type { ClientWritableStream } from "@grpc/grpc-js";
import { cancelOnAbort, throwIfAborted } from "./call-options.js";
import { RequestPump } from "./request-pump.js";

/** Makes a client-streaming call; `callback` gets its answer. */
export type OpenRequestStream<T> = (
  callback: (error: Error | null, response?: T) => void,
) => ClientWritableStream<Uint8Array>;

/**
 * Sends the messages of `requests` at the pace at which the connection takes them,
 * and returns the answer. Where the call ends before the requests do, no further
 * request is asked for and `return()` is called on their iterator. Where the
 * requests throw, the call is cancelled and their error is thrown as it is.
 */
export async function sendRequests<T>(
  open: OpenRequestStream<T>,
  errorOf: (error: unknown) => Error,
  requests: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<T> {
  throwIfAborted(signal);
  const pump = new RequestPump(requests);
  let ignoreSignal = () => {};
  try {
    return await new Promise<T>((resolve, reject) => {
      const call = open((error, response) => {
        pump.stop();
        if (error !== null) reject(errorOf(error));
        else resolve(response as T);
      });
      call.on("error", () => {}); // told through the callback
      ignoreSignal = cancelOnAbort(signal, call);
      pump.run(call).catch((error) => {
        call.cancel();
        reject(error);
      });
    });
  } finally {
    ignoreSignal();
    pump.stop();
  }
}
