import { protocolError } from "./errors.js";
import type {
  ResyncReason,
  WatchBookmark,
  WatchCreated,
  WatchResponse,
} from "./gen/bpfmap/v1/watch_pb.js";
import { changesOf, type DeleteEvent, type PutEvent } from "./watch-change.js";

/**
 * What a watch yields.
 *
 * - `created`: first, and each time the stream was made anew.
 * - `put` and `delete`: changes. Apply them in order.
 * - `synced`: a snapshot is whole. Keys that were in neither its puts nor changes since
 *   the `resync` before it (or since the start) are not in the map.
 * - `bookmark`: everything up to its revision has been told.
 * - `resync`: what was told so far may no longer be the map's contents; a snapshot follows.
 * - `gone`: the map was freed. With follow another one is waited for, otherwise it is the last.
 */
export type WatchEvent =
  | { readonly type: "created"; readonly created: WatchCreated }
  | PutEvent
  | DeleteEvent
  | { readonly type: "synced"; readonly bookmark: WatchBookmark }
  | { readonly type: "bookmark"; readonly bookmark: WatchBookmark }
  | {
      readonly type: "resync";
      /** UNSPECIFIED where the connection was lost before there was anything to resume from. */
      readonly reason: ResyncReason;
      /** Changes that were lost, where they could be counted; otherwise 0. */
      readonly lost: bigint;
    }
  | { readonly type: "gone"; readonly id: number };

/** What a message of a watch tells. @param created the last such message of the stream */
export function* watchEventsOf(
  { kind }: WatchResponse,
  created: WatchCreated | undefined,
): Generator<WatchEvent> {
  switch (kind.case) {
    case "created":
      yield { type: "created", created: kind.value };
      return;
    case "events":
      yield* changesOf(kind.value, created);
      return;
    case "bookmark":
      yield { type: kind.value.snapshotDone ? "synced" : "bookmark", bookmark: kind.value };
      return;
    case "resync":
      yield { type: "resync", reason: kind.value.reason, lost: kind.value.lost };
      return;
    case "mapGone":
      yield { type: "gone", id: kind.value.id };
      return;
    default:
      throw protocolError("the daemon sent an empty message in a watch");
  }
}
