// Watches a map with some streams at a time, and counts the scans that the daemon makes
// for them: one more stream asks for so many bookmarks that none is left out.
// Arguments: ADDRESS MAP_ID STREAMS POLL_INTERVAL_MS
import { connect, mapRef } from "@bpfmapd/client";
import { WatchStart } from "@bpfmapd/client/proto";
import { durationFromMs, durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { serve } from "./serve.js";

export interface SubscriberAnswer {
  /** Scans that bookmarks told of since the last question was answered. */
  scans: number;
  /** The interval between scans that the daemon told last, in milliseconds. */
  intervalMs: number;
}

const RARE_MS = 60_000;
const FREQUENT_MS = 100;

const [address, ...numbers] = process.argv.slice(2);
const [mapId = 0, streams = 0, pollMs = 0] = numbers.map(Number);
const client = connect({ address });
await client.waitForReady(10_000);
const scans = new Set<number>();
let intervalMs = 0;

/** Resolves when the stream has got its first bookmark. */
function subscribe(pollIntervalMs: number, bookmarkIntervalMs: number): Promise<void> {
  const request = {
    map: mapRef({ id: mapId }),
    start: { case: "from" as const, value: WatchStart.UPDATES },
    pollInterval: durationFromMs(pollIntervalMs),
    bookmarkInterval: durationFromMs(bookmarkIntervalMs),
  };
  return new Promise((resolve, reject) => {
    const read = async () => {
      for await (const { kind } of client.maps.watch(request)) {
        if (kind.case !== "bookmark") continue;
        scans.add(timestampMs(kind.value.scanStarted!));
        intervalMs = durationMs(kind.value.pollInterval!);
        resolve();
      }
      throw new Error("the watch ended");
    };
    read().catch(reject);
  });
}

const started = Array.from({ length: streams }, () => subscribe(pollMs, RARE_MS));
await Promise.all([subscribe(RARE_MS, FREQUENT_MS), ...started]);

serve(async (): Promise<SubscriberAnswer> => {
  const answer = { scans: scans.size, intervalMs };
  scans.clear();
  return answer;
});
