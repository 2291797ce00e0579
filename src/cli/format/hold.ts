import type { Hold } from "@bpfmapd/client/proto";
import { durationMs, timestampDate } from "@bufbuild/protobuf/wkt";
import { formatDuration } from "../grammar/duration.js";
import type { JsonWriter } from "./json-writer.js";

/** A hold as {"name":…,"lease_ms":…,"expires_at":…}; the last two only with a lease. */
export function holdJson(json: JsonWriter, hold: Hold): void {
  json.startObject();
  json.member("name", hold.name);
  if (hold.lease !== undefined) json.member("lease_ms", durationMs(hold.lease));
  if (hold.expiresAt !== undefined) {
    json.member("expires_at", timestampDate(hold.expiresAt).toISOString());
  }
  json.endObject();
}

/** A hold for people, such as "stats (lease 30s, until 2026-01-31T12:00:00.000Z)". */
export function holdText(hold: Hold): string {
  const parts: string[] = [];
  if (hold.lease !== undefined) parts.push(`lease ${formatDuration(durationMs(hold.lease))}`);
  if (hold.expiresAt !== undefined) {
    parts.push(`until ${timestampDate(hold.expiresAt).toISOString()}`);
  }
  return parts.length === 0 ? hold.name : `${hold.name} (${parts.join(", ")})`;
}
