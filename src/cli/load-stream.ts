import {
  type LoadMapRequestSchema,
  type LoadMapResponse,
  LoadStrategy,
  type MapRef,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CliContext } from "./context.js";
import type { Chunk } from "./files/chunk-builder.js";

/** How elements are written to a map that has some already. */
export interface LoadOptions {
  readonly replace?: boolean;
  readonly dryRun?: boolean;
}

/** Streams chunks into a map. `onElements` is told of each chunk that is handed on. */
export function loadChunks(
  context: CliContext,
  map: MapRef,
  options: LoadOptions,
  chunks: AsyncIterable<Chunk>,
  onElements: (count: number) => void,
): Promise<LoadMapResponse> {
  async function* requests(): AsyncGenerator<MessageInitShape<typeof LoadMapRequestSchema>, void> {
    const strategy = options.replace ? LoadStrategy.REPLACE : LoadStrategy.MERGE;
    const start = { map, strategy, dryRun: options.dryRun ?? false };
    yield { kind: { case: "start", value: start } };
    for await (const chunk of chunks) {
      yield { kind: { case: "elements", value: { ...chunk } } };
      onElements(chunk.count);
    }
  }
  return context.client.maps.loadMap(requests(), context.longCall);
}

/** Prints what a load did, or would do. */
export async function printLoaded(
  context: CliContext,
  answer: LoadMapResponse,
  dryRun: boolean,
): Promise<void> {
  const counts = [
    ["received", answer.received],
    ["written", answer.written],
    ["added", answer.added],
    ["changed", answer.changed],
    ["unchanged", answer.unchanged],
    ["removed", answer.removed],
  ] as const;
  const known = counts.filter(([, count]) => count !== undefined);
  if (context.json) {
    await context.printJson((json) => {
      json.startObject();
      for (const [name, count] of known) json.member(name, count!);
      json.endObject();
    });
    return;
  }
  const text = known.map(([name, count]) => `${name} ${count}`).join(", ");
  await context.out.write(`${dryRun ? "dry run: " : ""}${text}\n`);
}
