import { ElementCalls, ElementFlag, type Errno } from "../kernel/index.js";
import type { MapOperation } from "./capability-table.js";
import type {
  Columns,
  CpuTarget,
  CpuView,
  ElementFailure,
  OnError,
  UpdateMode,
} from "./columns.js";
import { valueCopier, viewedValueSize } from "./cpu-slots.js";
import {
  checkColumns,
  checkCpu,
  checkKey,
  checkKeys,
  checkKeysInRange,
  requireKeyedOperation,
  requirePlainValues,
} from "./element-check.js";
import { ElementWriter, writeAbilities } from "./element-writer.js";
import { fieldError, MapError } from "./map-error.js";
import type { MapHost } from "./map-host.js";
import type { MapRef } from "./map-ref.js";
import type { OpenMap } from "./open-map.js";
import { withMap } from "./resolve.js";
import { whileContended } from "./retry.js";
import { Turns } from "./turns.js";

/** What became of a call on several elements. */
export interface Applied {
  readonly applied: number;
  readonly failures: ElementFailure[];
}

/** Values by key; those of refused keys are zero. */
export interface Found {
  readonly elements: Columns;
  readonly failures: ElementFailure[];
}

/** Elements by key; `keys` are `count` whole keys. */
export interface KeysRequest {
  readonly map: MapRef;
  readonly keys: Uint8Array;
  readonly count: number;
  readonly onError: OnError;
}

const NO_KEYS = new Uint8Array(0);

/** Reads elements by key. */
export async function lookupElements(
  host: MapHost,
  request: KeysRequest & { readonly cpuView?: CpuView | undefined; readonly lock: boolean },
): Promise<Found> {
  const { keys, count, cpuView, lock, onError } = request;
  return withMap(host, request.map, async (map) => {
    checkKeyed(host, map, request, "lookup");
    checkCpu(map, cpuView, "cpu_view");
    const size = viewedValueSize(map.layout, cpuView);
    checkAnswerSize(host, map, count * size, "keys");
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
    return { elements: { count, keys: NO_KEYS, values }, failures };
  });
}

/** Adds and changes elements. */
export async function updateElements(
  host: MapHost,
  request: {
    readonly map: MapRef;
    readonly elements: Columns;
    readonly mode: UpdateMode;
    readonly cpuTarget?: CpuTarget | undefined;
    readonly lock: boolean;
    readonly onError: OnError;
  },
): Promise<Applied> {
  const { elements, mode, cpuTarget, lock, onError } = request;
  return withMap(host, request.map, async (map) => {
    checkWritable(host, map, elements, cpuTarget);
    if (elements.count === 0) {
      throw fieldError("FIELD_INVALID", "elements.count", "give at least one element");
    }
    return host.writing(map, elements.keys, () =>
      writeElements(host, map, elements, { mode, target: cpuTarget, lock }, onError),
    );
  });
}

/** Refuses elements that cannot be written to a map as they are. */
export function checkWritable(
  host: MapHost,
  map: OpenMap,
  elements: Columns,
  target: CpuTarget | undefined,
  field = "elements",
): void {
  requireKeyedOperation(host.capabilities, map, "update");
  requirePlainValues(host.capabilities, map);
  checkCpu(map, target, "cpu_target");
  checkColumns(elements, map.layout, target, field);
  checkKeysInRange(elements.keys, map.layout, keyKindOf(host, map), `${field}.keys`);
}

/** Writes elements that have been checked. */
export async function writeElements(
  host: MapHost,
  map: OpenMap,
  elements: Columns,
  options: { mode: UpdateMode; target?: CpuTarget | undefined; lock: boolean },
  onError: OnError,
): Promise<Applied> {
  const abilities = writeAbilities(host.capabilities, map.info.type);
  const writer = new ElementWriter(map.fd, map.layout, abilities, options);
  const outcome = new Outcome(map, "update an element", { onError, lock: options.lock });
  const turns = new Turns();
  try {
    while (outcome.next < elements.count) {
      const { written, errno } = writer.write(elements, outcome.next);
      outcome.succeed(written);
      if (errno !== undefined) outcome.fail(errno);
      await turns.yieldIfDue();
    }
  } finally {
    writer.release();
  }
  return outcome;
}

/** Deletes elements by key. */
export async function deleteElements(host: MapHost, request: KeysRequest): Promise<Applied> {
  const { keys } = request;
  return withMap(host, request.map, (map) => {
    checkKeyed(host, map, request, "delete");
    return host.writing(map, keys, () =>
      eachKey(map, keys, "delete an element", request, (calls) => calls.delete()),
    );
  });
}

/** Reads and deletes elements, each in one step of the kernel. */
export async function takeElements(host: MapHost, request: KeysRequest): Promise<Found> {
  return withMap(host, request.map, async (map) => {
    checkKeyed(host, map, request, "lookup_and_delete");
    const { count, keys } = request;
    const size = map.layout.valueStride;
    checkAnswerSize(host, map, count * size, "keys");
    const values = Buffer.alloc(count * size);
    const { failures } = await host.writing(map, keys, () =>
      eachKey(map, keys, "take an element", request, (calls, index) => {
        const errno = calls.lookupAndDelete();
        if (errno === undefined) calls.value.copy(values, index * size);
        return errno;
      }),
    );
    return { elements: { count, keys: NO_KEYS, values }, failures };
  });
}

/** The key after another in the kernel's order; the first without one. */
export async function nextKey(host: MapHost, ref: MapRef, key?: Uint8Array): Promise<Uint8Array> {
  return withMap(host, ref, (map) => {
    requireKeyedOperation(host.capabilities, map, "next_key");
    if (key) checkKey(key, map.layout, "key");
    const calls = new ElementCalls(map.fd, map.layout.keySize, 0);
    try {
      if (key) calls.key.set(key);
      const errno = whileContended(() => (key ? calls.nextKey() : calls.firstKey()));
      if (errno === undefined) return Uint8Array.from(calls.following);
      if (errno !== "ENOENT") throw map.explain(errno, "find the next key");
      const what = key ? "this is its last key" : "it is empty";
      throw new MapError("ELEMENT_NOT_FOUND", `${map.label} has no further key: ${what}`, {
        metadata: { map: map.label, operation: "find the next key", errno },
      });
    } finally {
      calls.release();
    }
  });
}

function keyKindOf(host: MapHost, map: OpenMap): string | undefined {
  return host.capabilities.of(map.info.type)?.keyKind;
}

function checkKeyed(
  host: MapHost,
  map: OpenMap,
  { keys, count }: KeysRequest,
  operation: MapOperation,
): void {
  requireKeyedOperation(host.capabilities, map, operation);
  checkKeys(keys, count, map.layout, "keys");
  checkKeysInRange(keys, map.layout, keyKindOf(host, map));
}

function checkAnswerSize(host: MapHost, map: OpenMap, bytes: number, field: string): void {
  const limit = host.limits.maxMessageBytes;
  if (bytes <= limit) return;
  throw new MapError(
    "LIMIT_EXCEEDED",
    `the values of these keys of ${map.label} take ${bytes} bytes, more than limits.max_message_bytes (${limit}): ask for fewer, or use DumpMap`,
    { violations: [{ field, description: `the answer would take ${bytes} bytes` }] },
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

/** Keeps the count of a call on several elements, and its failures. */
class Outcome implements Applied {
  applied = 0;
  readonly failures: ElementFailure[] = [];
  readonly #map: OpenMap;
  readonly #operation: string;
  readonly #options: { readonly onError: OnError; readonly lock?: boolean };

  constructor(
    map: OpenMap,
    operation: string,
    options: { readonly onError: OnError; readonly lock?: boolean },
  ) {
    this.#map = map;
    this.#operation = operation;
    this.#options = options;
  }

  /** Index of the element that comes next. */
  get next(): number {
    return this.applied + this.failures.length;
  }

  succeed(count: number): void {
    this.applied += count;
  }

  /** Notes the failure of the next element, or ends the call with it. */
  fail(errno: Errno): void {
    const index = this.next;
    const error =
      errno === "EINVAL" && this.#options.lock
        ? fieldError(
            "FIELD_INVALID",
            "lock",
            `the values of ${this.#map.label} have no bpf_spin_lock`,
          )
        : this.#map.explain(errno, this.#operation);
    const concernsElement = error.reason.startsWith("ELEMENT_") || error.reason === "MAP_FULL";
    // A reason that lies in the map would repeat itself for every element.
    if (this.#options.onError === "stop" || !concernsElement) {
      throw error.with({ index: String(index), applied: String(this.applied) });
    }
    this.failures.push({ index, reason: error.reason });
  }
}
