import { setTimeout as sleep } from "node:timers/promises";
import {
  checkCpu,
  fieldError,
  isKeyless,
  MapError,
  type MapHost,
  type MapRef,
  type OpenMap,
  openMap,
  requireWalkable,
} from "../maps/index.js";
import { MapStream, type StreamContext } from "./map-stream.js";
import { definitionOf, type StreamPosition } from "./resume-token.js";
import { checkWatchFilter } from "./watch-filter.js";
import type { WatchHub } from "./watch-hub.js";
import type { WatchItem, WatchRequest } from "./watch-request.js";

/** How often a pin, name or hold is looked at for another map. */
const FOLLOW_INTERVAL_MS = 500;

/**
 * Streams a map's contents and their changes. docs/watch.md says what a subscriber may
 * rely on.
 */
export async function* watchMap(
  hub: WatchHub,
  request: WatchRequest,
  signal: AbortSignal,
): AsyncGenerator<WatchItem> {
  const definition = definitionOf([
    request.filter ?? {},
    request.keysOnly,
    request.cpuView ?? {},
    request.previousValues,
  ]);
  let resume = readToken(hub, request, definition);
  const isReplaced = replacementCheck(hub.host, request);
  const context = { hub, request, definition, signal, isReplaced };
  let map: OpenMap | undefined = await openMap(hub.host, request.map);
  for (let isFirst = true; map; isFirst = false) {
    yield* openStream(context, map).run(isFirst ? resume : undefined, !isFirst);
    resume = undefined;
    map = request.follow ? await successorOf(hub.host, request, signal) : undefined;
  }
}

function readToken(
  hub: WatchHub,
  { start }: WatchRequest,
  definition: string,
): StreamPosition | undefined {
  if (typeof start === "string") return undefined;
  const position = hub.tokens.open(start.resumeToken);
  const isOfThisBoot = position?.bootId === hub.host.identity.bootId;
  if (position && (!isOfThisBoot || position.definition === definition)) return position;
  const why = position
    ? "it belongs to a request with another filter, columns or view"
    : "no daemon of this host made it";
  throw fieldError("RESUME_TOKEN_INVALID", "resume_token", why);
}

/** Takes over the open map, and closes it. */
function openStream(context: StreamContext, map: OpenMap): MapStream {
  try {
    const keyKind = checkRequest(context.hub.host, map, context.request);
    return new MapStream(context, map, keyKind);
  } finally {
    map.close();
  }
}

/**
 * Tells whether a pin or hold that is followed stands for another map by now, as when a
 * new program is loaded while the old one still runs. Looks at most every
 * {@link FOLLOW_INTERVAL_MS}.
 */
function replacementCheck(host: MapHost, { map, follow }: WatchRequest) {
  let due = 0;
  return async (mapId: number): Promise<boolean> => {
    const isNamedByPath = map.by === "pinPath" || map.by === "held";
    if (!follow || !isNamedByPath || performance.now() < due) return false;
    due = performance.now() + FOLLOW_INTERVAL_MS;
    return ((await idOf(host, map)) ?? mapId) !== mapId;
  };
}

/** The id of the map that a reference names; undefined where it names none. */
async function idOf(host: MapHost, ref: MapRef): Promise<number | undefined> {
  try {
    const map = await openMap(host, ref);
    map.close();
    return map.info.id;
  } catch {
    return undefined;
  }
}

/** The map that the reference names next; waits for it. */
async function successorOf(
  host: MapHost,
  request: WatchRequest,
  signal: AbortSignal,
): Promise<OpenMap | undefined> {
  if (request.map.by === "id") return undefined;
  for (;;) {
    try {
      return await openMap(host, request.map);
    } catch (error) {
      if (!(error instanceof MapError) || !error.reason.endsWith("NOT_FOUND")) throw error;
    }
    await sleep(FOLLOW_INTERVAL_MS, undefined, { signal });
  }
}

/** Refuses what cannot be watched; answers what the map's keys are. */
function checkRequest(host: MapHost, map: OpenMap, request: WatchRequest): string {
  refuseRecords(host, map);
  requireWalkable(host, map);
  const keyKind = host.capabilities.of(map.info.type)?.keyKind ?? "bytes";
  checkWatchFilter(request.filter, map.layout, keyKind);
  checkCpu(map, request.cpuView, "cpu_view");
  return keyKind;
}

const READ_INSTEAD: Readonly<Record<string, string>> = {
  ringbuf: "ReadRecords",
  perf_event_array: "ReadRecords",
  queue: "PopElements",
  stack: "PopElements",
};

function refuseRecords(host: MapHost, map: OpenMap): void {
  const name = host.capabilities.of(map.info.type)?.name ?? "";
  const instead = READ_INSTEAD[name];
  if (!instead && !isKeyless(map.info.type)) return;
  throw new MapError(
    "OPERATION_NOT_SUPPORTED",
    `${map.label} cannot be watched: it has no elements that stay${instead ? `; use ${instead}` : ""}`,
    { metadata: { map: map.label, operation: "watch" } },
  );
}
