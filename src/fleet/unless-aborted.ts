import { setMaxListeners } from "node:events";

/** The promise's value; rejects with the signal's reason where it is, or is being, aborted first. */
export async function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return promise;
  // Many may wait by one signal; the runtime would take that for a leak.
  setMaxListeners(0, signal);
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    // One that is aborted already tells nobody any more.
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  // Where the promise loses, nobody hears of it.
  promise.catch(() => {});
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
