// Dumps a map and counts what comes. Timed from the call to the summary; the
// connection is there before.
// Arguments: ADDRESS MAP_ID
import { connect } from "@bpfmapd/client";
import { serve } from "./serve.js";

export interface DumpAnswer {
  seconds: number;
  elements: number;
}

const [address, mapId] = process.argv.slice(2);
const client = connect({ address });
await client.waitForReady(10_000);
const map = client.map({ id: Number(mapId) });

/** Dumps `times` times, one after the other. */
serve(async ({ times }: { times: number }): Promise<DumpAnswer> => {
  const start = performance.now();
  let elements = 0;
  for (let i = 0; i < times; i++) {
    const dump = map.dump();
    for await (const chunk of dump.chunks()) elements += chunk.count;
    const summary = await dump.summary;
    if (!summary.complete) throw new Error("the dump is not complete");
  }
  return { seconds: (performance.now() - start) / 1000, elements };
});
