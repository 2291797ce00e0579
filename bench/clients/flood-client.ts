// Looks one element up by many callers over several connections, half of them on pipelines,
// each as soon as the one before is answered.
// Arguments: ADDRESS MAP_ID KEY_SIZE
import { type BpfmapClient, connect } from "@bpfmapd/client";
import { OnError } from "@bpfmapd/client/proto";
import { serve } from "./serve.js";

export interface FloodAnswer {
  lookups: number;
}

const CONNECTIONS = 4;
const CALLERS = 32;

const [address = "", ...numbers] = process.argv.slice(2);
const [mapId = 0, keySize = 0] = numbers.map(Number);
const map = { ref: { case: "id", value: mapId } } as const;
const request = { map, keys: new Uint8Array(keySize), count: 1, onError: OnError.CONTINUE };
const clients = Array.from({ length: CONNECTIONS }, () => connect({ address }));
for (const client of clients) await client.waitForReady(10_000);

serve(async ({ seconds }: { seconds: number }): Promise<FloodAnswer> => {
  const end = performance.now() + seconds * 1000;
  const isOver = () => performance.now() >= end;
  let lookups = 0;
  const call = async (client: BpfmapClient) => {
    for (; !isOver(); lookups++) await client.maps.lookupElements(request);
  };
  const pipeline = async (client: BpfmapClient) => {
    let wake = () => {};
    let onTheirWay = 0;
    async function* requests() {
      for (; !isOver(); onTheirWay++) {
        if (onTheirWay >= CALLERS) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        yield { call: { case: "lookupElements", value: request } } as const;
      }
    }
    for await (const _ of client.maps.pipeline(requests())) {
      lookups++;
      onTheirWay--;
      wake();
    }
  };
  const callers = clients.flatMap((client) => [
    ...Array.from({ length: CALLERS }, () => call(client)),
    pipeline(client),
  ]);
  await Promise.all(callers);
  return { lookups };
});
