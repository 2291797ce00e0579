// Reads the records that wait in a ring buffer. Timed from the call to the last of them;
// the connection is there before.
// Arguments: ADDRESS MAP_ID
import { connect } from "@bpfmapd/client";
import { serve } from "./serve.js";

export interface RecordAnswer {
  seconds: number;
  records: number;
}

const [address, mapId] = process.argv.slice(2);
const client = connect({ address });
await client.waitForReady(10_000);
const map = client.map({ id: Number(mapId) });

/** Reads until `count` records have come. */
serve(async ({ count }: { count: number }): Promise<RecordAnswer> => {
  const start = performance.now();
  let records = 0;
  const stream = map.records({ exclusive: true, queueBytes: 256 * 1024 * 1024 });
  for await (const event of stream.batches()) {
    if (event.type === "lost") throw new Error(`${event.count} records are lost`);
    records += event.records.sizes.length;
    if (records >= count) break;
  }
  return { seconds: (performance.now() - start) / 1000, records };
});
