import { fieldError } from "../../maps/index.js";

// A token is the last id of the page before, as 4 bytes in base64url. Clients are not to
// know: only what this file made is taken back.

/** The token of the page after the map with this id. */
export function encodePageToken(afterId: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(afterId);
  return bytes.toString("base64url");
}

/** The id after which a page starts; undefined for the first page. */
export function decodePageToken(token: string): number | undefined {
  if (token === "") return undefined;
  const bytes = Buffer.from(token, "base64url");
  if (bytes.length !== 4 || bytes.toString("base64url") !== token) throw foreignToken();
  return bytes.readUInt32BE();
}

/** The token of the page after what has this name. */
export function encodeTextToken(after: string): string {
  return Buffer.from(after, "utf8").toString("base64url");
}

/** The name after which a page starts; undefined for the first page. */
export function decodeTextToken(token: string): string | undefined {
  if (token === "") return undefined;
  const after = Buffer.from(token, "base64url").toString("utf8");
  if (encodeTextToken(after) !== token) throw foreignToken();
  return after;
}

/** The error of a token that no answer had. */
export function foreignToken(): Error {
  return fieldError(
    "FIELD_INVALID",
    "page_token",
    "not a token of this service: pass next_page_token of the answer before, as it came",
  );
}
