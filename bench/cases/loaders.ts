import type { LoadAnswer } from "../clients/load-client.js";
import { type Bench, type BenchMap, loadChunkBytes } from "../harness/bench.js";
import { ClientProcess } from "../harness/process.js";

/** A Node client that has the elements of a map in memory. */
export function startLoader(bench: Bench, map: BenchMap): Promise<ClientProcess> {
  const numbers = [map.elements, loadChunkBytes].map(String);
  const args = [bench.daemon.address, `${map.id}`, map.shape.name, ...numbers];
  return ClientProcess.start("load-client", args);
}

/** Seconds of a load from it. */
export async function loadFrom(client: ClientProcess, map: BenchMap): Promise<number> {
  const { seconds, written } = await client.ask<LoadAnswer>({});
  if (written !== map.elements) throw new Error(`the load wrote ${written} elements`);
  return seconds;
}

/** Seconds of a load from the Go client, or by it. */
export async function goLoad(client: ClientProcess, map: BenchMap): Promise<number> {
  const { id, elements, shape } = map;
  const { name, keySize, valueSize } = shape;
  const question = { work: "load", map: id, maxEntries: elements, shape: name, keySize, valueSize };
  const { seconds, written } = await client.ask<LoadAnswer>(question);
  if (written !== elements) throw new Error(`the load wrote ${written} elements`);
  return seconds;
}
