import {
  type LoadMapRequest,
  type LoadMapResponseSchema,
  LoadStrategy,
} from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CallAccess, Verb } from "../../access/index.js";
import {
  type ElementsInput,
  fieldError,
  type LoadResult,
  type LoadStart,
  type MapAccess,
} from "../../maps/index.js";
import { toCpuTarget, toElementsInput, toTyping } from "./element-message.js";
import { toMapRef } from "./map-ref-message.js";

/** The first message of a load; undefined where the stream has none. */
export function toLoadStart(
  request: LoadMapRequest | undefined,
  access: CallAccess | undefined,
): LoadStart {
  if (request?.kind.case !== "start") {
    throw fieldError("FIELD_INVALID", "start", "must be the first message of the stream");
  }
  const { map, strategy, dryRun, cpuTarget: target, typing, outerKey } = request.kind.value;
  const cpuTarget = toCpuTarget(target);
  return {
    map: toMapRef(map, access?.needing(...verbsOf(strategy, dryRun)), "start.map"),
    strategy: toStrategy(strategy),
    dryRun,
    typing: toTyping(typing),
    ...(outerKey !== undefined && { outerKey }),
    ...(cpuTarget !== undefined && { cpuTarget }),
  };
}

/** What a load does to the map beside adding to it: the answer of a dry run tells of its contents. */
function verbsOf(strategy: LoadStrategy, dryRun: boolean): Verb[] {
  const removes = strategy === LoadStrategy.REPLACE || strategy === LoadStrategy.REPLACE_ATOMIC;
  return [
    "write",
    ...(removes ? (["delete"] as const) : []),
    ...(dryRun ? (["read"] as const) : []),
  ];
}

function toStrategy(strategy: LoadStrategy): LoadStart["strategy"] {
  switch (strategy) {
    case LoadStrategy.UNSPECIFIED:
    case LoadStrategy.MERGE:
      return "merge";
    case LoadStrategy.REPLACE:
      return "replace";
    case LoadStrategy.REPLACE_ATOMIC:
      return "replace_atomic";
  }
}

/** A further message of a load. */
export function toLoadChunk(request: LoadMapRequest, access: MapAccess | undefined): ElementsInput {
  if (request.kind.case !== "elements") {
    throw fieldError("FIELD_INVALID", "start", "may only be the first message of the stream");
  }
  return toElementsInput(request.kind.value, access);
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
