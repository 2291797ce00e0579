import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { protocolError } from "./errors.js";
import type { Elements } from "./gen/bpfmap/v1/element_pb.js";
import type { WatchCreated, WatchEvents, WatchWriter } from "./gen/bpfmap/v1/watch_pb.js";

/** A change as JSON texts. */
export interface ChangeTexts {
  /** The key, by the type that the map or the watch names. */
  readonly key: string;
  /** Absent for deletes, and with keysOnly. */
  readonly value?: string | undefined;
  /** The value before, where it is known. */
  readonly previous?: string | undefined;
}

/** An element that was added or changed. */
export interface PutEvent {
  readonly type: "put";
  /** The key; a view of the message that it came in, as are the values. */
  readonly key: Uint8Array;
  /** Empty with keysOnly. */
  readonly value: Uint8Array;
  /** With previousValues: the value before, where there was one and it is known. */
  readonly previous: Uint8Array | undefined;
  /** With a format that has JSON: what the bytes say, by their types. */
  readonly json: ChangeTexts | undefined;
  /** Whether it is part of a snapshot. */
  readonly initial: boolean;
  /** The scan, traced call or write of the service that it belongs to; see WatchEvents.revision. */
  readonly revision: bigint;
  /** Who did it, where it is known. */
  readonly writer: WatchWriter | undefined;
  /** The value was in the map at some instant before this and after `seenAfter`; host's clock. */
  readonly seenBefore: Date;
  /** See `seenBefore`. */
  readonly seenAfter: Date;
}

/** An element that was deleted. */
export interface DeleteEvent {
  readonly type: "delete";
  /** The key; a view of the message that it came in. */
  readonly key: Uint8Array;
  /** With previousValues: the value that it had, where it is known. */
  readonly previous: Uint8Array | undefined;
  /** With a format that has JSON: what the bytes say, by their types. */
  readonly json: ChangeTexts | undefined;
  /** The scan, traced call or write of the service that it belongs to; see WatchEvents.revision. */
  readonly revision: bigint;
  /** Who did it, where it is known. */
  readonly writer: WatchWriter | undefined;
  /** The map was without it at some instant before this and after `seenAfter`; host's clock. */
  readonly seenBefore: Date;
  /** See `seenBefore`. */
  readonly seenAfter: Date;
}

/** The changes of a message one by one; keys and values are views of it. */
export function* changesOf(
  events: WatchEvents,
  created: WatchCreated | undefined,
): Generator<PutEvent | DeleteEvent> {
  if (!created?.map) throw protocolError("the daemon sent changes before it named the map");
  const { keySize } = created.map;
  const stride = created.valueStride;
  const { puts, deletes, revision, initial, writers } = events;
  const seen = { seenAfter: dateOf(events.seenAfter), seenBefore: dateOf(events.seenBefore) };
  const putCount = puts?.count ?? 0;
  const previousOf = (index: number): Uint8Array | undefined => {
    const isKnown = ((events.previousPresent[index >> 3] ?? 0) >> (index & 7)) & 1;
    return isKnown ? events.previous.subarray(index * stride, (index + 1) * stride) : undefined;
  };
  for (let index = 0; index < putCount; index++) {
    yield {
      type: "put",
      key: puts!.keys.subarray(index * keySize, (index + 1) * keySize),
      value: puts!.values.subarray(index * stride, (index + 1) * stride),
      previous: previousOf(index),
      json: textsOf(puts!, index, events.jsonPrevious[index]),
      initial,
      revision,
      writer: writers[index],
      ...seen,
    };
  }
  for (let index = 0; index < (deletes?.count ?? 0); index++) {
    yield {
      type: "delete",
      key: deletes!.keys.subarray(index * keySize, (index + 1) * keySize),
      previous: previousOf(putCount + index),
      json: textsOf(deletes!, index, events.jsonPrevious[putCount + index]),
      revision,
      writer: writers[putCount + index],
      ...seen,
    };
  }
}

function textsOf(
  { jsonKeys, jsonValues }: Elements,
  index: number,
  previous: string | undefined,
): ChangeTexts | undefined {
  const key = jsonKeys[index];
  if (key === undefined) return undefined;
  const value = jsonValues[index];
  return { key, ...(value !== undefined && { value }), ...(previous && { previous }) };
}

function dateOf(timestamp: Timestamp | undefined): Date {
  if (!timestamp) throw protocolError("the daemon sent changes without their times");
  return timestampDate(timestamp);
}
