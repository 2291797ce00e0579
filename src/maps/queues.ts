import { ElementCalls, ElementFlag } from "../kernel/index.js";
import { elementDecoder } from "./element-decoder.js";
import { withValues } from "./element-encoder.js";
import type { ElementsAnswer, InputColumn, Reading, Typing } from "./element-input.js";
import { fieldError, MapError } from "./map-error.js";
import type { MapHost } from "./map-host.js";
import { isKeyless, isQueueOrStack } from "./map-layout.js";
import type { MapRef } from "./map-ref.js";
import { MapType } from "./map-type.js";
import type { ObjectValue } from "./object-ref.js";
import type { OpenMap } from "./open-map.js";
import { withMap } from "./resolve.js";
import { whileContended } from "./retry.js";
import { Turns } from "./turns.js";

const NONE = new Uint8Array(0);

/** Adds values to a queue, a stack or a bloom filter, in order. */
export async function pushElements(
  host: MapHost,
  request: {
    readonly map: MapRef;
    readonly values: InputColumn<ObjectValue>;
    readonly count: number;
    readonly overwriteOldest: boolean;
    readonly typing?: Typing | undefined;
  },
): Promise<{ applied: number }> {
  return withMap(host, request.map, async (map) => {
    requireKeyless(map, "push");
    if (request.overwriteOldest && map.info.type === MapType.BLOOM_FILTER) {
      throw fieldError("FIELD_INVALID", "overwrite_oldest", "a bloom filter has no oldest value");
    }
    return withValues(host, map, request, request, async (values) => ({
      applied: await pushValues(map, values, request.overwriteOldest),
    }));
  });
}

/**
 * Pushes a column of whole values; MAP_FULL tells how many went in.
 *
 * @param before values of the same call that went in before
 */
export async function pushValues(
  map: OpenMap,
  values: Uint8Array,
  overwriteOldest: boolean,
  before = 0,
): Promise<number> {
  const size = map.layout.valueSize;
  const flags = overwriteOldest ? ElementFlag.EXIST : ElementFlag.ANY;
  return withCalls(map, async (calls) => {
    const turns = new Turns();
    let applied = 0;
    for (; applied * size < values.length; applied++) {
      calls.value.set(values.subarray(applied * size, (applied + 1) * size));
      const errno = whileContended(() => calls.update(flags));
      if (errno !== undefined) {
        const done = String(before + applied);
        throw map.explain(errno, "push a value").with({ index: done, applied: done });
      }
      if (applied % 64 === 63) await turns.yieldIfDue();
    }
    return applied;
  });
}

/** Takes values out of a queue or a stack, until `maxCount` or until it is empty. */
export async function popElements(
  host: MapHost,
  request: {
    readonly map: MapRef;
    readonly maxCount: number;
    readonly reading?: Reading | undefined;
  },
): Promise<ElementsAnswer> {
  return withMap(host, request.map, async (map) => {
    requireQueueOrStack(map, "pop");
    const decode = await elementDecoder(host, map, request);
    const longest = Math.max(map.layout.valueSize, decode?.longestElement ?? 0);
    const room = Math.max(1, Math.floor(host.limits.maxMessageBytes / longest) - 1);
    const most = Math.min(request.maxCount || 1, room, map.layout.maxEntries);
    const popped: Buffer[] = [];
    await withCalls(map, async (calls) => {
      const turns = new Turns();
      while (popped.length < most && popOne(map, calls, popped.length > 0)) {
        popped.push(Buffer.from(calls.value));
        if (popped.length % 64 === 0) await turns.yieldIfDue();
      }
    });
    const columns = { count: popped.length, keys: NONE, values: Buffer.concat(popped) };
    return decode?.(columns) ?? columns;
  });
}

/** Empties a queue or a stack; answers how many values it had. */
export async function drain(map: OpenMap, signal: AbortSignal): Promise<number> {
  return withCalls(map, async (calls) => {
    const turns = new Turns();
    let removed = 0;
    // Bounded, so that a program that pushes all the while cannot keep it here.
    while (removed < map.layout.maxEntries && popOne(map, calls)) {
      removed++;
      if (removed % 64 === 0) await turns.yieldIfDue();
      signal.throwIfAborted();
    }
    return removed;
  });
}

/** Reads the next value of a queue or stack, or asks a bloom filter for a value. */
export async function peekElement(
  host: MapHost,
  request: {
    readonly map: MapRef;
    readonly value?: InputColumn<ObjectValue> | undefined;
    readonly reading?: Reading | undefined;
  },
): Promise<{ found: boolean; value: Uint8Array; jsonValue?: string | undefined }> {
  const { value, reading } = request;
  return withMap(host, request.map, async (map) => {
    requireKeyless(map, "peek");
    checkIsAsked(map, value !== undefined);
    if (value) {
      const options = { typing: reading?.typing, single: true };
      return withValues(host, map, { count: 1, values: value }, options, (asked) =>
        peekAt(map, asked),
      );
    }
    const decode = await elementDecoder(host, map, { reading });
    const peeked = await peekAt(map);
    if (!decode || !peeked.found) return peeked;
    const { values, jsonValues } = decode({ count: 1, keys: NONE, values: peeked.value });
    return { found: true, value: values, jsonValue: jsonValues?.[0] };
  });
}

function peekAt(map: OpenMap, asked?: Uint8Array): Promise<{ found: boolean; value: Uint8Array }> {
  return withCalls(map, (calls) => {
    if (asked) calls.value.set(asked);
    const errno = whileContended(() => calls.lookup());
    if (errno === "ENOENT") return { found: false, value: NONE };
    if (errno !== undefined) throw map.explain(errno, "peek at a value");
    return { found: true, value: asked ? NONE : Uint8Array.from(calls.value) };
  });
}

function checkIsAsked(map: OpenMap, isAsked: boolean): void {
  const isBloom = map.info.type === MapType.BLOOM_FILTER;
  if (isBloom === isAsked) return;
  const why = isBloom
    ? "give the value to ask the bloom filter for"
    : "only a bloom filter is asked for a value";
  throw fieldError("FIELD_INVALID", "value", why);
}

/** Takes one value; false where there is none, or none can be had and `hasSome` is set. */
function popOne(map: OpenMap, calls: ElementCalls, hasSome = false): boolean {
  const errno = whileContended(() => calls.lookupAndDelete());
  if (errno === undefined) return true;
  // Values that were taken must reach the caller, so a later error waits for its next call.
  if (errno === "ENOENT" || hasSome) return false;
  throw map.explain(errno, "pop a value");
}

async function withCalls<T>(
  map: OpenMap,
  use: (calls: ElementCalls) => T | Promise<T>,
): Promise<T> {
  const calls = new ElementCalls(map.fd, 0, map.layout.valueStride);
  try {
    return await use(calls);
  } finally {
    calls.release();
  }
}

function requireKeyless(map: OpenMap, operation: string): void {
  if (isKeyless(map.info.type)) return;
  refuse(map, operation, "only queues, stacks and bloom filters have it");
}

function requireQueueOrStack(map: OpenMap, operation: string): void {
  if (isQueueOrStack(map.info.type)) return;
  refuse(map, operation, "only queues and stacks have it");
}

function refuse(map: OpenMap, operation: string, why: string): never {
  throw new MapError("OPERATION_NOT_SUPPORTED", `${map.label} has no ${operation}: ${why}`, {
    metadata: { map: map.label, operation },
  });
}
