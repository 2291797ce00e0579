import {
  type LoadMapRequest,
  type LoadMapResponseSchema,
  LoadStrategy,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Columns, fieldError, type LoadResult, type LoadStart } from "../../maps/index.js";
import { toColumns, toCpuTarget } from "./element-message.js";
import { toMapRef } from "./map-ref-message.js";

/** The first message of a load; undefined where the stream has none. */
export function toLoadStart(request: LoadMapRequest | undefined): LoadStart {
  if (request?.kind.case !== "start") {
    throw fieldError("FIELD_INVALID", "start", "must be the first message of the stream");
  }
  const { map, strategy, dryRun, cpuTarget: target } = request.kind.value;
  const cpuTarget = toCpuTarget(target);
  return {
    map: toMapRef(map, "start.map"),
    strategy: strategy === LoadStrategy.REPLACE ? "replace" : "merge",
    dryRun,
    ...(cpuTarget !== undefined && { cpuTarget }),
  };
}

/** A further message of a load. */
export function toLoadChunk(request: LoadMapRequest): Columns {
  if (request.kind.case !== "elements") {
    throw fieldError("FIELD_INVALID", "start", "may only be the first message of the stream");
  }
  return toColumns(request.kind.value);
}

/** What a load did. */
export function loadResultMessage(
  result: LoadResult,
): MessageInitShape<typeof LoadMapResponseSchema> {
  return {
    received: BigInt(result.received),
    written: BigInt(result.written),
    added: optionalCount(result.added),
    changed: optionalCount(result.changed),
    unchanged: optionalCount(result.unchanged),
    removed: optionalCount(result.removed),
  };
}

function optionalCount(count: number | undefined): bigint | undefined {
  return count === undefined ? undefined : BigInt(count);
}
