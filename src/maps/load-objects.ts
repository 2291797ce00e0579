import type { Columns, CpuTarget } from "./columns.js";
import { withElements } from "./element-encoder.js";
import type { ElementsInput } from "./element-input.js";
import { writeElements } from "./elements.js";
import { requireLastingElements } from "./kept-objects.js";
import type { PlainLoadStart } from "./load.js";
import { fieldError, MapError } from "./map-error.js";
import type { MapHost } from "./map-host.js";
import type { OpenMap } from "./open-map.js";
import type { LoadResult } from "./scan/load-input.js";

/** Whether elements are written by fds, which must be open until they have been. */
export function namesObjects(host: MapHost, map: OpenMap): boolean {
  const type = host.capabilities.of(map.info.type);
  return type?.keyKind === "object" || type?.valueKind === "object";
}

/** Writes a stream of kernel objects, each chunk with what it names open. */
export async function loadObjects(
  host: MapHost,
  map: OpenMap,
  start: PlainLoadStart,
  chunks: AsyncIterable<ElementsInput>,
): Promise<LoadResult> {
  if (start.strategy !== "merge" || start.dryRun) {
    const [field, why] = start.dryRun
      ? ["start.dry_run", "what is written and what is read back cannot be compared"]
      : [
          "start.strategy",
          "kernel objects are loaded with MERGE; clear the map before, to replace",
        ];
    throw fieldError("FIELD_INVALID", field, why);
  }
  await requireLastingElements(host, map);
  const { typing, cpuTarget: target } = start;
  const options = { typing, target, field: "elements" };
  let received = 0;
  for await (const chunk of chunks) {
    await withElements(host, map, chunk, options, (columns) =>
      host.writing(map, columns.keys, () => writeChunk(host, map, columns, target, received)),
    );
    received += chunk.count;
  }
  return { received, written: received };
}

/** Writes a chunk; an error counts from the start of the stream. */
async function writeChunk(
  host: MapHost,
  map: OpenMap,
  columns: Columns,
  target: CpuTarget | undefined,
  before: number,
): Promise<void> {
  try {
    await writeElements(host, map, columns, { mode: "any", target, lock: false }, "stop");
  } catch (error) {
    if (!(error instanceof MapError) || error.metadata.index === undefined) throw error;
    const index = String(before + Number(error.metadata.index));
    throw error.with({ index, applied: index });
  }
}
