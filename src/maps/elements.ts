import { ElementCalls, ElementFlag, type Errno } from "../kernel/index.js";
import type {
  Columns,
  CpuTarget,
  CpuView,
  ElementFailure,
  OnError,
  UpdateMode,
} from "./columns.js";
import { valueCopier, viewedValueSize } from "./cpu-slots.js";
import { checkCpu, requireKeyedOperation } from "./element-check.js";
import { type ElementDecoder, elementDecoder } from "./element-decoder.js";
import { withElements, withKeys } from "./element-encoder.js";
import type { ElementsAnswer, ElementsInput, KeysInput, Reading, Typing } from "./element-input.js";
import { ElementWriter, writeAbilities } from "./element-writer.js";
import { DELETE_ELEMENT, UPDATE_ELEMENT } from "./explain.js";
import { requireLastingElements } from "./kept-objects.js";
import { fieldError, MapError } from "./map-error.js";
import type { MapHost } from "./map-host.js";
import type { MapRef } from "./map-ref.js";
import { isUnreadable, objectValuesOf } from "./objects/value-kind.js";
import type { OpenMap } from "./open-map.js";
import { type Applied, Outcome } from "./outcome.js";
import { withMap } from "./resolve.js";
import { whileContended } from "./retry.js";
import { scanTarget } from "./scan/scan-target.js";
import type { WriteArgs } from "./scan/write-job.js";
import { resultOf } from "./threads/thread-pool.js";
import { Turns } from "./turns.js";
import { factsOf } from "./type-facts.js";

/** Values by key; those of refused keys are zero. */
export interface Found {
  readonly elements: ElementsAnswer;
  readonly failures: ElementFailure[];
}

/** Elements by key. */
export interface KeysRequest extends KeysInput {
  readonly map: MapRef;
  readonly onError: OnError;
  /** Types of keys in JSON, and of values in the answer. */
  readonly typing?: Typing | undefined;
}

const NONE = new Uint8Array(0);

/** Reads elements by key. */
export async function lookupElements(
  host: MapHost,
  request: KeysRequest & {
    readonly cpuView?: CpuView | undefined;
    readonly lock: boolean;
    readonly reading?: Reading | undefined;
  },
): Promise<Found> {
  const { count, cpuView, lock, onError, reading } = request;
  return withMap(host, request.map, async (map) => {
    requireKeyedOperation(host.capabilities, map, "lookup");
    requireReadable(map);
    checkCpu(map, cpuView, "cpu_view");
    const decode = await elementDecoder(host, map, { reading, cpuView });
    return withKeys(host, map, request, request, async (keys) => {
      const size = viewedValueSize(map.layout, cpuView);
      // Failures that do not fit beside the values can still be refused afterwards.
      checkAnswerSize(host, map, { count, onError: "stop" }, size);
      const values = Buffer.alloc(count * size);
      const copy = valueCopier(map.layout, cpuView);
      const { failures } = await eachKey(
        map,
        keys,
        "look up an element",
        { onError, lock },
        (calls, index) => {
          const errno = calls.lookup(lock ? ElementFlag.LOCK : 0);
          if (errno === undefined) copy(calls.value, 0, values, index * size);
          return errno;
        },
      );
      const answer = found({ count, keys: toldKeys(request, keys), values }, failures, decode);
      checkAnswerSize(host, map, { count, onError: "stop" }, bytesOf(answer.elements) / count);
      return answer;
    });
  });
}

/** Bytes of columns and texts; objects are about as long as the values that they stand for. */
function bytesOf({ keys, values, jsonKeys = [], jsonValues = [] }: ElementsAnswer): number {
  const texts = [...jsonKeys, ...jsonValues];
  // Mark and length of each text take a few bytes more.
  const lengths = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 6, 0);
  return keys.length + values.length + lengths;
}

/** Refuses to look up what the kernel knows and does not tell. */
function requireReadable(map: OpenMap): void {
  if (!isUnreadable(map.info)) return;
  throw new MapError(
    "OPERATION_NOT_SUPPORTED",
    `${map.label} has no lookup: sockets can only be read from maps with values of 8 bytes`,
    { metadata: { map: map.label, operation: "lookup" } },
  );
}

/** JSON tells keys again, which may have been given as bytes; but never the daemon's fds. */
function toldKeys(
  { keys: given, reading }: KeysInput & { readonly reading?: Reading | undefined },
  keys: Uint8Array,
): Uint8Array {
  const isObjects = !(given instanceof Uint8Array) && given.form === "objects";
  return isObjects || (reading?.format ?? "bytes") === "bytes" ? NONE : keys;
}

function found(
  columns: Columns,
  failures: ElementFailure[],
  decode: ElementDecoder | undefined,
): Found {
  if (!decode) return { elements: columns, failures };
  const missing = new Set(failures.map(({ index }) => index));
  return { elements: decode(columns, (index) => missing.has(index)), failures };
}

/** Adds and changes elements. */
export async function updateElements(
  host: MapHost,
  request: {
    readonly map: MapRef;
    readonly elements: ElementsInput;
    readonly mode: UpdateMode;
    readonly cpuTarget?: CpuTarget | undefined;
    readonly lock: boolean;
    readonly onError: OnError;
    readonly typing?: Typing | undefined;
  },
): Promise<Applied> {
  const { mode, cpuTarget: target, lock, onError, typing } = request;
  return withMap(host, request.map, async (map) => {
    requireKeyedOperation(host.capabilities, map, "update");
    checkCpu(map, target, "cpu_target");
    checkMode(map, mode);
    await requireLastingElements(host, map);
    const options = { typing, target, field: "elements" };
    return withElements(host, map, request.elements, options, (elements) => {
      if (elements.count === 0) {
        throw fieldError("FIELD_INVALID", "elements.count", "give at least one element");
      }
      checkAnswerSize(host, map, { count: elements.count, onError }, 0, "elements");
      return host.writing(map, elements.keys, () =>
        writeElements(host, map, elements, { mode, target, lock }, onError),
      );
    });
  });
}

function checkMode(map: OpenMap, mode: UpdateMode): void {
  const { type } = map.info;
  const refuse = (why: string) => {
    throw fieldError("FIELD_INVALID", "mode", `the kernel writes ${map.label} ${why}`);
  };
  if (mode !== "any" && objectValuesOf(type)?.anyOnly) refuse("with ANY only");
  if (mode === "noexist" && factsOf(type)?.addedByKernel) {
    refuse("with ANY and EXIST only: it adds each element itself, where a program is attached");
  }
}

/** Writes elements that have been checked. */
export async function writeElements(
  host: MapHost,
  map: OpenMap,
  elements: Columns,
  options: { mode: UpdateMode; target?: CpuTarget | undefined; lock: boolean },
  onError: OnError,
): Promise<Applied> {
  if (factsOf(map.info.type)?.hasInnerMap)
    return writeInThread(host, map, elements, options, onError);
  const abilities = writeAbilities(host.capabilities, map.info.type);
  const writer = new ElementWriter(host.kept.fdFor(map), map.layout, abilities, options);
  const outcome = new Outcome(map, UPDATE_ELEMENT, { onError, lock: options.lock });
  const turns = new Turns();
  try {
    while (outcome.next < elements.count) {
      const next = outcome.next;
      const { written, errno } = writer.write(elements, next);
      host.kept.add(map, keysOf(map, elements, next, next + written));
      outcome.succeed(written);
      if (errno !== undefined) outcome.fail(errno);
      await turns.yieldIfDue();
    }
  } finally {
    writer.release();
  }
  return outcome;
}

function writeInThread(
  host: MapHost,
  map: OpenMap,
  columns: Columns,
  { mode, target, lock }: { mode: UpdateMode; target?: CpuTarget | undefined; lock: boolean },
  onError: OnError,
): Promise<Applied> {
  const args: WriteArgs = {
    ...{ target: scanTarget(host, map), columns, mode, cpuTarget: target, lock, onError },
  };
  // Elements are written or not, whether or not the caller still waits.
  const { signal } = new AbortController();
  return resultOf(host.threads.run<never, Applied>("write", args, signal));
}

function keysOf({ layout }: OpenMap, { keys }: Columns, from: number, to: number): Uint8Array {
  return keys.subarray(from * layout.keySize, to * layout.keySize);
}

/** Deletes elements by key. */
export async function deleteElements(host: MapHost, request: KeysRequest): Promise<Applied> {
  return withMap(host, request.map, (map) => {
    requireKeyedOperation(host.capabilities, map, "delete");
    checkAnswerSize(host, map, request, 0);
    return withKeys(host, map, request, request, (keys) =>
      host.writing(map, keys, () =>
        eachKey(map, keys, DELETE_ELEMENT, request, (calls) => {
          const errno = calls.delete();
          if (errno === undefined) host.kept.remove(map, calls.key);
          return errno;
        }),
      ),
    );
  });
}

/** Reads and deletes elements, each in one step of the kernel. */
export async function takeElements(
  host: MapHost,
  request: KeysRequest & { readonly reading?: Reading | undefined },
): Promise<Found> {
  const { count, reading } = request;
  return withMap(host, request.map, async (map) => {
    requireKeyedOperation(host.capabilities, map, "lookup_and_delete");
    const decode = await elementDecoder(host, map, { reading });
    return withKeys(host, map, request, request, async (keys) => {
      const size = map.layout.valueStride;
      // What does not fit must not be taken: JSON may be longer than the bytes.
      checkAnswerSize(host, map, request, Math.max(size, decode?.longestElement ?? 0));
      const values = Buffer.alloc(count * size);
      const { failures } = await host.writing(map, keys, () =>
        eachKey(map, keys, "take an element", request, (calls, index) => {
          const errno = calls.lookupAndDelete();
          if (errno === undefined) calls.value.copy(values, index * size);
          return errno;
        }),
      );
      return found({ count, keys: toldKeys(request, keys), values }, failures, decode);
    });
  });
}

/** Bytes of a message around its values, and of an `ElementFailure` in it, at most. */
const ANSWER_BYTES = 64;
const FAILURE_BYTES = 11;

/**
 * Refuses a call whose answer could be larger than a message, before it changes anything:
 * values that were taken could not be had any more.
 */
function checkAnswerSize(
  host: MapHost,
  map: OpenMap,
  { count, onError }: { readonly count: number; readonly onError: OnError },
  valueSize: number,
  field = "keys",
): void {
  const limit = host.limits.maxMessageBytes;
  const failureSize = onError === "continue" ? FAILURE_BYTES : 0;
  const bytes = ANSWER_BYTES + count * (valueSize + failureSize);
  if (bytes <= limit) return;
  throw new MapError(
    "LIMIT_EXCEEDED",
    `the answer for ${count} elements of ${map.label} may take ${bytes} bytes, more than limits.max_message_bytes (${limit}): ask for fewer, or use DumpMap or LoadMap`,
    { violations: [{ field, description: `the answer may take ${bytes} bytes` }] },
  );
}

/** Makes one call for each key, in stretches that leave the event loop room. */
async function eachKey(
  map: OpenMap,
  keys: Uint8Array,
  operation: string,
  options: { readonly onError: OnError; readonly lock?: boolean },
  call: (calls: ElementCalls, index: number) => Errno | undefined,
): Promise<Applied> {
  const { keySize, valueStride } = map.layout;
  const calls = new ElementCalls(map.fd, keySize, valueStride);
  const outcome = new Outcome(map, operation, options);
  const turns = new Turns();
  try {
    for (let at = 0; at < keys.length; at += keySize) {
      calls.key.set(keys.subarray(at, at + keySize));
      const errno = whileContended(() => call(calls, outcome.next));
      if (errno === undefined) outcome.succeed(1);
      else outcome.fail(errno);
      if (outcome.next % 64 === 0) await turns.yieldIfDue();
    }
  } finally {
    calls.release();
  }
  return outcome;
}
