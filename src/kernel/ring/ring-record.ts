/*
 * The header in front of every record of a ring buffer, in both directions:
 * `struct bpf_ringbuf_hdr` of kernel/bpf/ringbuf.c. The first word is the length with
 * two bits on top.
 */

/** Bytes of a header. */
export const HEADER_SIZE = 8;

/** The record is reserved, and not written yet. */
export const BUSY = 1 << 31;

/** The record was given up; skip it. */
export const DISCARDED = 1 << 30;

export const LENGTH_MASK = (1 << 30) - 1;

/** Bytes that a record takes in the ring. */
export function spaceOf(length: number): number {
  return (length + HEADER_SIZE + 7) & ~7;
}
