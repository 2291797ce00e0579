/** Where segments and pages of one set come from, by hash. */
export interface SegmentSource {
  /** The bytes, whose SHA-256 has been checked. Throws GONE where nobody has them any more. */
  get(hash: string, signal?: AbortSignal): Promise<Uint8Array>;
}
