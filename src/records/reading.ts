import { closeFd, KernelError, mapGetFdById } from "../kernel/index.js";
import {
  CreateFlag,
  fieldError,
  MapError,
  type MapHost,
  MapType,
  type OpenMap,
} from "../maps/index.js";
import { explainErrno } from "./explain-errno.js";
import type { PerfSlot, RecordArgs, RecordOrigin } from "./record-protocol.js";
import type { RecordRequest } from "./record-request.js";

const DEFAULT_PAGES = 64;

/** What a reader is started with, and what closes the map after it. */
export interface Reading {
  readonly args: RecordArgs;
  /** Closes the map. */
  readonly release: () => void;
}

/** Refuses what cannot be read in the way that is asked for. */
export function checkRequest(host: MapHost, map: OpenMap, request: RecordRequest): void {
  const { type } = map.info;
  if (type === MapType.PERF_EVENT_ARRAY) checkPerf(host, map, request);
  else if (type === MapType.RINGBUF) refusePerfFields(request);
  else throw notReadable(map);
}

/** How the map is to be read. On return the map is the reader's, and `release` closes it. */
export function makeReading(host: MapHost, map: OpenMap, request: RecordRequest): Reading {
  const isPerf = map.info.type === MapType.PERF_EVENT_ARRAY;
  const own = isPerf ? ownFd(map) : undefined;
  return {
    args: {
      fd: own ?? map.fd,
      label: map.label,
      origin: isPerf ? perfOrigin(host, map, request, own !== undefined) : { kind: "ring" },
      skipBuffered: request.start === "now",
      maxRecordBytes: request.maxRecordBytes,
      room: request.room,
    },
    release: () => {
      if (own !== undefined) closeFd(own);
      map.close();
    },
  };
}

/** Refuses to join a reader that reads other slots than these. */
export function checkSameSlots(running: RecordArgs, { slot }: RecordRequest): void {
  const { origin, label } = running;
  if (origin.kind !== "perf") return;
  const [first] = origin.slots;
  if (
    slot
      ? !origin.everyCpu && slot.cpu === first?.cpu && slot.index === first.index
      : origin.everyCpu
  )
    return;
  const how = origin.everyCpu
    ? "the slots of all CPUs"
    : `slot ${first?.index} for CPU ${first?.cpu}`;
  throw new MapError(
    "RING_BUSY",
    `${label} is read already, but other slots of it (${how}): ask for these, or wait until that has ended`,
    { metadata: { map: label, operation: "read records" } },
  );
}

function checkPerf(host: MapHost, map: OpenMap, { slot, pagesPerCpu = 0 }: RecordRequest): void {
  if ((pagesPerCpu & (pagesPerCpu - 1)) !== 0) {
    throw fieldError(
      "FIELD_INVALID",
      "pages_per_cpu",
      `must be a power of 2, which ${pagesPerCpu} is not`,
    );
  }
  if (!slot) return;
  const { maxEntries } = map.info;
  if (slot.index >= maxEntries) {
    throw fieldError(
      "KEY_OUT_OF_RANGE",
      "slot.index",
      `${map.label} has slots 0 to ${maxEntries - 1}, not ${slot.index}`,
    );
  }
  const online = host.onlineCpus();
  if (!online.includes(slot.cpu)) {
    throw fieldError(
      "CPU_OUT_OF_RANGE",
      "slot.cpu",
      `CPU ${slot.cpu} is not online; these are: ${online.join(", ")}`,
    );
  }
}

function refusePerfFields({ slot, pagesPerCpu }: RecordRequest): void {
  const field = slot ? "slot" : pagesPerCpu ? "pages_per_cpu" : undefined;
  if (!field) return;
  throw fieldError("FIELD_INVALID", field, "is for perf event arrays only, not for ring buffers");
}

const INSTEAD: Readonly<Record<number, string>> = {
  [MapType.USER_RINGBUF]: "; programs read it, and WriteRecords writes it",
  [MapType.QUEUE]: "; use PopElements",
  [MapType.STACK]: "; use PopElements",
};

function notReadable(map: OpenMap): MapError {
  return new MapError(
    "OPERATION_NOT_SUPPORTED",
    `${map.label} has no records to read: only ring buffers and perf event arrays have` +
      (INSTEAD[map.info.type] ?? ""),
    { metadata: { map: map.label, operation: "read records" } },
  );
}

function perfOrigin(
  host: MapHost,
  map: OpenMap,
  { slot, pagesPerCpu }: RecordRequest,
  isOwn: boolean,
): RecordOrigin {
  const { maxEntries, flags } = map.info;
  const cpus = host.onlineCpus().filter((cpu) => cpu < maxEntries);
  return {
    kind: "perf",
    slots: slot ? [slot] : cpus.map((cpu): PerfSlot => ({ cpu, index: cpu })),
    everyCpu: !slot,
    pages: pagesPerCpu || DEFAULT_PAGES,
    staysInMap: !isOwn || (flags & CreateFlag.PRESERVE_ELEMS) !== 0,
  };
}

/**
 * An fd that nobody else has: events go with the fd that put them into the map, and that
 * of a held map stays open. Undefined where maps cannot be opened by id.
 */
function ownFd(map: OpenMap): number | undefined {
  try {
    return mapGetFdById(map.info.id);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    if (error.errno === "EPERM") return undefined;
    throw explainErrno(error.errno, map.fd, map.label, "read records");
  }
}
