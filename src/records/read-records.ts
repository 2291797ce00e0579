import type { RecordHub } from "./record-hub.js";
import type { RecordRequest, RecordStep } from "./record-request.js";

/**
 * Streams the records of a ring buffer or a perf event array, until the signal is aborted
 * or reading fails. docs/records.md says what a subscriber may rely on.
 */
export async function* readRecords(
  hub: RecordHub,
  request: RecordRequest,
  signal: AbortSignal,
): AsyncGenerator<RecordStep> {
  const { map, subscription, nextSequence } = await hub.join(request);
  // A generator that waits for records hears of nothing else.
  const abort = () => subscription.fail(signal.reason, true);
  signal.addEventListener("abort", abort);
  try {
    signal.throwIfAborted();
    yield { kind: "started", map, nextSequence };
    yield* subscription.items();
  } finally {
    signal.removeEventListener("abort", abort);
    subscription.close();
  }
}
