// Loads elements into a map. Timed from the call to its answer; the elements are in
// memory and the connection is there before.
// Arguments: ADDRESS MAP_ID SHAPE COUNT CHUNK_BYTES
import { connect } from "@bpfmapd/client";
import { elementChunks, h48, h1664 } from "../harness/elements.js";
import { loadRequests } from "../harness/load-requests.js";
import { serve } from "./serve.js";

export interface LoadAnswer {
  seconds: number;
  written: number;
}

const [address, mapId, shapeName, count, chunkBytes] = process.argv.slice(2);
const shape = [h48, h1664].find(({ name }) => name === shapeName);
if (shape === undefined) throw new Error(`no shape of elements is named ${shapeName}`);
const chunks = elementChunks(shape, Number(count), Number(chunkBytes));
const client = connect({ address });
await client.waitForReady(10_000);

serve(async (): Promise<LoadAnswer> => {
  const start = performance.now();
  const { written } = await client.maps.loadMap(loadRequests(Number(mapId), chunks));
  return { seconds: (performance.now() - start) / 1000, written: Number(written) };
});
