/** What a key or value size in bytes may be. */
export interface SizeRule {
  readonly min: number;
  /** 0 where the type sets none: then the kernel's limit is probed. */
  readonly max: number;
  /** The only sizes, where there are a few. */
  readonly only?: readonly number[];
  readonly multipleOf?: number;
  /** A size that every kernel with the type takes. */
  readonly always: number;
}

/** Any size from `min`, up to what the kernel allows. */
export function atLeast(min: number): SizeRule {
  return { min, max: 0, always: min };
}

/** Any size from `min` to `max`. */
export function between(min: number, max: number): SizeRule {
  return { min, max, always: min };
}

/** One of two sizes, of which older kernels take only the first. */
export function either(always: number, newer: number): SizeRule {
  const min = Math.min(always, newer);
  const max = Math.max(always, newer);
  return { min, max, only: [min, max], always };
}

/** This size alone. */
export function exactly(size: number): SizeRule {
  return { min: size, max: size, only: [size], always: size };
}

/** No key, or no value, at all: its size is 0. */
export const NONE: SizeRule = exactly(0);
