/**
 * Settles as the promise does, but rejects with the signal's reason as soon as that is
 * aborted. The promise may then settle later: its outcome is dropped, not unhandled.
 */
export function untilAborted<T>(promise: PromiseLike<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    // One listener per wait, and removed: a race against one long-lived promise would
    // keep every wait of a long stream in memory.
    else signal.addEventListener("abort", abort, { once: true });
    promise.then(
      (value) => {
        signal.removeEventListener("abort", abort);
        resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener("abort", abort);
        reject(error);
      },
    );
  });
}
