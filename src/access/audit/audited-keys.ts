import { createHash } from "node:crypto";

/** How keys stand in the audit. */
export type KeyForm = "hex" | "sha256" | "none";

/** More keys than this are told by one hash of all of them. */
const MAX_KEYS = 64;

/** Keys as the audit tells them: `keys`, or `keys_sha256` of all bytes, and their number. */
export interface AuditedKeys {
  readonly keys?: readonly string[];
  readonly keys_sha256?: string;
  readonly key_count: number;
}

/** @param bytes keys of the same size, back to back */
export function auditedKeys(bytes: Uint8Array, count: number, form: KeyForm): AuditedKeys {
  if (form === "none" || bytes.length === 0) return { key_count: count };
  if (count > MAX_KEYS) return { keys_sha256: sha256(bytes), key_count: count };
  const size = bytes.length / Math.max(count, 1);
  const tell = form === "hex" ? hex : sha256;
  const keys = Array.from({ length: count }, (_, index) =>
    tell(bytes.subarray(index * size, (index + 1) * size)),
  );
  return { keys, key_count: count };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
