// Has the daemon scan a watched map that nobody changes, and tells how long that took: the
// best of some scans, by the times that bookmarks give.
// Arguments: ADDRESS MAP_ID
import { connect, mapRef } from "@bpfmapd/client";
import { WatchStart } from "@bpfmapd/client/proto";
import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { serve } from "./serve.js";

export interface ScanAnswer {
  seconds: number;
}

const [address, mapId] = process.argv.slice(2);
const client = connect({ address });
await client.waitForReady(10_000);

function watch(pollIntervalMs: number) {
  return client.maps.watch({
    map: mapRef({ id: Number(mapId) }),
    start: { case: "from", value: WatchStart.UPDATES },
    pollInterval: durationFromMs(pollIntervalMs),
    bookmarkInterval: durationFromMs(100),
  });
}

/** Milliseconds of scans that begin from now on, as many as asked for. */
async function scans(count: number): Promise<number[]> {
  const taken = new Map<number, number>();
  const since = Date.now();
  for await (const { kind } of watch(10)) {
    if (kind.case === "events") throw new Error("somebody changes the map");
    if (kind.case !== "bookmark") continue;
    const started = timestampMs(kind.value.scanStarted!);
    // A scan is told to have finished in the millisecond after.
    if (started > since) taken.set(started, timestampMs(kind.value.scanFinished!) - started - 1);
    if (taken.size === count) break;
  }
  return [...taken.values()];
}

// Holds the daemon's picture of the map, and asks for no scan itself.
const keeper = watch(3_600_000)[Symbol.asyncIterator]();
while ((await keeper.next()).value?.kind.case !== "bookmark");
void (async () => {
  while (!(await keeper.next()).done);
})();

serve(
  async (question: { scans: number }): Promise<ScanAnswer> => ({
    seconds: Math.min(...(await scans(question.scans))) / 1000,
  }),
);
