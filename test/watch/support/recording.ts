import type { BpfmapError } from "@bpfmapd/client";
import type { WatchResponse } from "@bpfmapd/client/proto";

/** What a stream was asked for, as far as a recording of it must show it. */
export interface StreamRequest {
  /** Whether the filter chooses a key, by its hex. */
  readonly chooses: (key: string) => boolean;
  /** What the stream shows of a value; both in hex. Nothing with keys only. */
  readonly view: (value: string) => string;
  /** Whether that is a part of the value: one CPU's slot, or a sum. */
  readonly isPartial: boolean;
  readonly keysOnly: boolean;
  readonly previousValues: boolean;
  readonly updatesOnly: boolean;
  readonly follow: boolean;
  readonly bookmarkMs: number;
}

/** A message and when it came, in milliseconds since the epoch. */
export interface RecordedMessage {
  readonly at: number;
  readonly message: WatchResponse;
}

/** One call. */
export interface RecordedCall {
  /** Hex of the token that it resumed from; undefined where it did not. */
  readonly resumeToken: string | undefined;
  readonly messages: RecordedMessage[];
  /** What it ended with, where that was an error. */
  failure?: BpfmapError;
  /** Whether it was ended by the daemon, without an error. */
  ended?: boolean;
  /** Stretches in which the reader did not read. */
  readonly pauses: { readonly from: number; to: number }[];
}

/** All calls of one subscriber, one after the other. */
export interface Recording {
  readonly name: string;
  readonly request: StreamRequest;
  readonly calls: RecordedCall[];
}

/** A bookmark that a recording has, and what its reader held there. */
export interface Standing {
  readonly epoch: string;
  readonly mapId: number;
  readonly revision: bigint;
  /** When the scan of the bookmark began and ended, in milliseconds since the epoch. */
  readonly scan: readonly [from: number, to: number];
  /** Shown values by hex of the key. */
  readonly contents: ReadonlyMap<string, ToldValue>;
  /** Whether the contents are all that the map holds: false after a start with updates. */
  readonly isWhole: boolean;
}

/** What a reader was told last of a key. */
export interface ToldValue {
  /** Undefined for a delete. */
  readonly shown: string | undefined;
  /** The message's seen_after. */
  readonly seenAfter: number;
}
