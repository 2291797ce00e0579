import type { ClientWritableStream } from "@grpc/grpc-js";
import { cancelOnAbort, throwIfAborted } from "./call-options.js";

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
  const source = requests[Symbol.asyncIterator]();
  let over = false;
  let wake = () => {};
  let ignoreSignal = () => {};

  const pump = async (call: ClientWritableStream<Uint8Array>) => {
    for (;;) {
      const { done, value } = await source.next();
      if (over) return;
      if (done) {
        call.end();
        return;
      }
      if (!call.write(value)) {
        // A call that ended never drains, so its end must wake the pump as well.
        await new Promise<void>((resolve) => {
          wake = resolve;
          call.once("drain", resolve);
        });
        if (over) return;
      }
    }
  };

  try {
    return await new Promise<T>((resolve, reject) => {
      const call = open((error, response) => {
        over = true;
        wake();
        if (error !== null) reject(errorOf(error));
        else resolve(response as T);
      });
      call.on("error", () => {}); // told through the callback
      ignoreSignal = cancelOnAbort(signal, call);
      pump(call).catch((error) => {
        over = true;
        call.cancel();
        reject(error);
      });
    });
  } finally {
    ignoreSignal();
    // Not awaited: an iterator that is stuck in next() answers return() only later.
    Promise.resolve(source.return?.()).catch(() => {});
  }
}
