// Looks elements up one by one, each when the one before is answered, and reports how
// long each took.
// Arguments: ADDRESS MAP_ID KEY_SIZE VALUE_SIZE COUNT
import { connect } from "@bpfmapd/client";
import { elements } from "../harness/elements.js";
import { serve } from "./serve.js";

export interface LookupAnswer {
  lookups: number;
  p50Seconds: number;
  p99Seconds: number;
}

const [address, ...numbers] = process.argv.slice(2);
const [mapId = 0, keySize = 0, valueSize = 0, count = 0] = numbers.map(Number);
const client = connect({ address });
await client.waitForReady(10_000);
const map = client.map({ id: mapId });
let next = 0;

serve(async ({ seconds }: { seconds: number }): Promise<LookupAnswer> => {
  const end = performance.now() + seconds * 1000;
  const taken: number[] = [];
  for (let start = performance.now(); start < end; ) {
    const { keys } = elements({ name: "", keySize, valueSize }, next++ % count, 1);
    if ((await map.lookup(keys)) === undefined) throw new Error("an element is missing");
    const stop = performance.now();
    taken.push(stop - start);
    start = stop;
  }
  taken.sort((a, b) => a - b);
  const quantile = (q: number) => (taken[Math.floor(q * (taken.length - 1))] ?? 0) / 1000;
  return { lookups: taken.length, p50Seconds: quantile(0.5), p99Seconds: quantile(0.99) };
});
